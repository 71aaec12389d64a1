import type { LimitReason } from '../../core/events.ts';
import type { HttpRequest, RequestClass } from '../../core/request.ts';
import { FairQueue } from '../../policy/fair-queue.ts';
import { headerKey } from '../../policy/rate/key.ts';
import { SHED_CLASSES } from '../../policy/shedding.ts';
import type { ConcurrencyLimitOptions } from './concurrency-options.ts';
import { ClientKeys, keyReader } from './request-key.ts';
import { Waiting } from './waiting.ts';

/** Where requests wait: as many as fit, the important ones rather than the others, each tenant in its turn. */
export class ConcurrencyQueue {
  private readonly options: ConcurrencyLimitOptions;
  private readonly maxCount: number;
  private readonly queue: FairQueue<Waiting>;
  /** Whose a request is; without tenants all are the same. */
  readonly tenantOf: (request: HttpRequest) => string;
  private readonly weights: ReadonlyMap<string, number>;
  /** Without tenants all are one, and the whole queue is its share. */
  private readonly usualWeight: number;
  private readonly withdraw = ({ place }: Waiting): void => {
    if (place !== null) this.queue.withdraw(place);
  };

  constructor(options: ConcurrencyLimitOptions, maxCount: number) {
    const { tenantQueueMaxCount, tenantWeights, tenant } = options;
    this.options = options;
    this.maxCount = maxCount;
    this.queue = new FairQueue({ queueMaxCount: maxCount, tenantQueueMaxCount });
    this.tenantOf = tenantReader(options);
    // Names that clients' fields or certificates say have a sign before them, so that they are not taken for addresses.
    const named = tenant === 'principal' || (typeof tenant === 'object' && tenant !== null);
    const weights = Object.entries(tenantWeights);
    this.weights = new Map(weights.map(([name, weight]) => [named ? headerKey(name) : name, weight]));
    this.usualWeight = tenant === null ? maxCount : 1;
  }

  get count(): number {
    return this.queue.count;
  }

  /** Tenants of whom something waits. */
  get tenantCount(): number {
    return this.queue.tenantCount;
  }

  /** Lines a request up, or says why not. */
  offer(request: HttpRequest, shedClass: RequestClass): Waiting | LimitReason {
    const { clock, queueTimeoutMs } = this.options;
    if (this.count >= this.maxCount) return 'queue-full';
    if (this.count * SHED_CLASSES.length >= this.maxCount * (SHED_CLASSES.indexOf(shedClass) + 1)) return 'shed';
    const tenant = this.tenantOf(request);
    const waiting = new Waiting(request, tenant, clock, queueTimeoutMs, this.withdraw);
    // It may have ended while layers before this one were busy.
    if (waiting.failure !== null) return waiting;
    waiting.place = this.queue.offer(tenant, this.weights.get(tenant) ?? this.usualWeight, waiting);
    if (waiting.place !== null) return waiting;
    waiting.finish('queue-full');
    return 'queue-full';
  }

  /** Whose turn it is. */
  take(): Waiting | undefined {
    return this.queue.take();
  }
}

/** A header is believed from trusted proxies only, or anybody would be as many tenants as he likes; others are told apart by address. */
function tenantReader(options: ConcurrencyLimitOptions): (request: HttpRequest) => string {
  const { tenant } = options;
  const clients = new ClientKeys(options);
  if (tenant === null) return () => '';
  const read = keyReader(tenant, clients);
  if (typeof tenant !== 'object') return (request) => read(request) ?? '';
  return (request) => (clients.trusts(request) ? read(request) : null) ?? clients.of(request);
}
