import { HeaderFields } from '../core/headers.ts';
import { fieldName, headerFields, kind, listOf, matching, oneOf, text } from '../core/option-kind.ts';
import { type OptionRules, withDefaults } from '../core/options.ts';
import { HEALTH_DEFAULTS, type HealthOptions } from '../policy/health.ts';

export const PROBE_KINDS = ['http', 'tcp'] as const;
type ProbeKind = (typeof PROBE_KINDS)[number];

/** How endpoints are probed. */
export interface ProbeOptions extends HealthOptions {
  /** `http` asks for `path`; `tcp` only connects, and shakes hands where there is TLS. */
  kind: ProbeKind;
  path: string;
  method: string;
  /** The `host` of the request; `null`: the endpoint's own. */
  host: string | null;
  headers: Readonly<Record<string, string | readonly string[]>>;
  /** From connecting to the end of the answer; over it the probe has failed. */
  timeoutMs: number;
  /** Statuses that pass, such as 200, or `2xx`. */
  expectStatus: readonly (number | string)[];
  /** What the beginning of the body (64 KiB) must contain; `null`: anything. */
  expectBody: string | null;
  /** A field by whose presence an endpoint that passes says that it is degraded; `null`: it cannot. */
  degradedHeader: string | null;
  /** Whether an endpoint takes requests before its first probe has ended. */
  unknownTakesRequests: boolean;
}

export const PROBE_DEFAULTS: Readonly<ProbeOptions> = {
  ...HEALTH_DEFAULTS,
  kind: 'http',
  path: '/',
  method: 'GET',
  host: null,
  headers: {},
  timeoutMs: 1000,
  expectStatus: ['2xx'],
  expectBody: null,
  degradedHeader: null,
  unknownTakesRequests: true,
};

/** A status that may be expected: 200, or a class of them such as `2xx`. */
export const EXPECTED_STATUS = /^[1-5](?:[0-9]{2}|xx)$/;
/** What may be asked for: a path, perhaps with a query. */
export const PROBE_PATH = /^\/[\x21-\x7e]*$/;
/** A method (RFC 9110 §9.1), other than those that ask for more than an answer. */
export const PROBE_METHOD = /^(?!CONNECT$)[A-Z]+$/;

const RULES: OptionRules<ProbeOptions> = {
  kinds: {
    kind: oneOf(PROBE_KINDS),
    path: matching('a path such as /healthz', PROBE_PATH),
    method: matching('a method such as GET or HEAD', PROBE_METHOD),
    host: text,
    headers: headerFields,
    expectStatus: listOf(
      kind('a status such as 200 or 2xx', (value) => EXPECTED_STATUS.test(String(value))),
      'a list of at least one status',
      1,
    ),
    expectBody: text,
    degradedHeader: fieldName,
  },
  relations: [
    {
      of: ['headers'],
      fault: ({ headers }) =>
        HeaderFields.from(headers).has('host') ? 'headers: the name of a host is said in `host`, beside them' : null,
    },
  ],
};

/** Fills it up. Throws `TypeError` naming every wrong field. */
export const probeSettings = (given: Partial<ProbeOptions>): ProbeOptions =>
  withDefaults('active', PROBE_DEFAULTS, given, RULES);

/** What every probe of an upstream has in common, read once. */
export class ProbePlan {
  readonly options: ProbeOptions;
  readonly headers: HeaderFields;
  private readonly expected: ReadonlySet<string>;

  constructor(options: ProbeOptions) {
    this.options = options;
    // Fields about the connection are its own.
    const headers = HeaderFields.from(options.headers).endToEnd;
    this.headers = headers.has('user-agent') ? headers : headers.append('user-agent', 'sluice-probe');
    this.expected = new Set(options.expectStatus.map(String));
  }

  expects(status: number): boolean {
    return this.expected.has(String(status)) || this.expected.has(`${String(status)[0]}xx`);
  }
}
