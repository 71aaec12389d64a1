/** The n-th address of the loopback network, which has sixteen million. */
export const loopback = (index: number): string => `127.0.${Math.floor(index / 250)}.${(index % 250) + 1}`;
