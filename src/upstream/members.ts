import { channel } from '../core/events.ts';
import type { BreakerState } from '../policy/breaker.ts';
import { TlsServer, UpstreamTls } from '../transport/upstream-tls.ts';
import { Endpoint } from './endpoint.ts';
import type { Member } from './endpoint-source.ts';
import type { UpstreamSettings } from './options.ts';
import { type Judge, type Rank, Standing } from './standing.ts';

const states = channel('endpoint:state');
const breakers = channel('endpoint:breaker');
const ejections = channel('endpoint:eject');

/** Who acts on what becomes of endpoints. */
export interface EndpointObserver {
  /** It stands otherwise than `before`. */
  onRank(endpoint: Endpoint, before: Rank): void;
  onBreaker(endpoint: Endpoint, state: BreakerState): void;
}

/** Makes endpoints of one upstream. */
export class EndpointFactory {
  private readonly settings: UpstreamSettings;
  private readonly judge: Judge;
  private tls: UpstreamTls | null = null;

  constructor(settings: UpstreamSettings, judge: Judge) {
    this.settings = settings;
    this.judge = judge;
  }

  /** Throws `TypeError` when its TLS settings cannot be used. */
  make({ address, traits }: Member, observer: EndpointObserver): Endpoint {
    const { protocol } = this.settings;
    const h2 = protocol === 'http1' ? [] : ['h2'];
    const secure = address.secureHost !== null;
    const offered = protocol === 'h2' ? h2 : [...h2, 'http/1.1'];
    const tls = address.secureHost === null ? null : new TlsServer(this.tlsSettings(), address.secureHost, offered);
    const multiplexes = secure ? h2.length > 0 : protocol === 'h2';
    const names = { upstream: this.settings.name, endpoint: address.url };
    const standing = new Standing(this.judge, {
      onRank(before) {
        const { rank: state } = standing;
        if (states.heard) states.publish({ ...names, state, before });
        observer.onRank(endpoint, before);
      },
      onBreaker(state, before) {
        if (breakers.heard) breakers.publish({ ...names, state, before });
        observer.onBreaker(endpoint, state);
      },
      onEject(reason, forMs) {
        if (ejections.heard) ejections.publish({ ...names, reason, forMs });
      },
    });
    const endpoint: Endpoint = new Endpoint(address, tls, multiplexes, traits, standing);
    return endpoint;
  }

  /** Reads what secures connections now rather than with the first endpoint. Throws `TypeError` when it cannot be used. */
  readTls(): void {
    this.tlsSettings();
  }

  private tlsSettings(): UpstreamTls {
    const { name, tls } = this.settings;
    this.tls ??= new UpstreamTls(name === '' ? 'upstream: tls' : `upstream ${name}: tls`, tls);
    return this.tls;
  }
}
