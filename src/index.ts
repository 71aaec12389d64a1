export { type Clock, type ClockTimer, systemClock } from './core/clock.ts';
export { type EventName, type Events, type LimitDecision, type LimitReason, onEvent } from './core/events.ts';
export { type Blame, FAULTS, Failure, type Fault, type FaultCode, type RetryClass } from './core/failure.ts';
export type { BodyMode, Handler, Layer } from './core/handler.ts';
export { stack } from './core/handler.ts';
export { HeaderFields, type HeaderSource } from './core/headers.ts';
export {
  type DrainNotice,
  discardBody,
  type HttpResponse,
  type InformationalResponse,
  type Peer,
  type PeerCertificate,
  type ResponseBody,
  type Takeover,
} from './core/message.ts';
export {
  METRICS,
  type Measure,
  type Measured,
  type MetricKind,
  type MetricLabels,
  type MetricName,
} from './core/metrics.ts';
export { HttpRequest, type RequestClass } from './core/request.ts';
export type { CloseReason, Connection, ConnectionRunner, ConnectionWork } from './core/runner.ts';
export { metrics } from './ops/metrics.ts';
export type { BalanceName } from './policy/balance/balancer.ts';
export type { BreakerOptions, BreakerState } from './policy/breaker.ts';
export type { OutlierOptions } from './policy/outlier.ts';
export type { RateDecision, RateLimit } from './policy/rate/limit.ts';
export type { SlowStartOptions } from './policy/slow-start.ts';
export type { SpillOptions } from './policy/tiers.ts';
export { nodeRunner } from './protocol/node/server.ts';
export type { MessageListener, WebSocketMessage } from './protocol/websocket/inbox.ts';
export type { DeflateOptions, ProtocolChoice, WebSocketOptions } from './protocol/websocket/options.ts';
export { type WebSocketHandler, websocket } from './protocol/websocket/server.ts';
export type { ServerWebSocket, WebSocketEnd } from './protocol/websocket/socket.ts';
export { defineConfig } from './runtime/define.ts';
export { BindError } from './server/bind.ts';
export type { DrainReport, DrainStage, ForcedConnection } from './server/drain.ts';
export type { DrainOptions, Limits, ListenerOptions } from './server/options.ts';
export { type ReloadOptions, type ServeOptions, type Server, serve } from './server/serve.ts';
export type { ListenerStatus, ServerInfo, ServerStatus } from './server/status.ts';
export { CertificateError } from './transport/tls/certificate.ts';
export type { CertificateOptions, ClientAuth, TlsOptions, TlsVersion } from './transport/tls/options.ts';
export type { UpstreamTlsOptions } from './transport/upstream-tls.ts';
export type { BalanceOptions, HashKey } from './upstream/balance.ts';
export type { Discovery, OnEndpoints } from './upstream/discover.ts';
export type { DiscoverOptions } from './upstream/discover-options.ts';
export type { EndpointOptions } from './upstream/endpoint-source.ts';
export { type ProxyOptions, proxy } from './upstream/forward.ts';
export { type UpstreamGroup, upstream } from './upstream/group.ts';
export type {
  HealthSettings,
  PoolOptions,
  UpstreamOptions,
  UpstreamProtocol,
  UpstreamTimeouts,
} from './upstream/options.ts';
export type { ProbeOptions } from './upstream/probe-options.ts';
export type { Jitter, RetryCause, RetryOptions } from './upstream/retry.ts';
export type { EndpointStatus, UpstreamStatus } from './upstream/status.ts';
export type { StickyOptions } from './upstream/sticky.ts';
export {
  type EventItem,
  type EventsDrain,
  type EventsOptions,
  lastEventId,
  type ServerSentEvent,
} from './web/events.ts';
export { type AccessLogOptions, type AccessRecord, accessLog } from './web/layers/access-log.ts';
export { type BodyLimitOptions, bodyLimit } from './web/layers/body-limit.ts';
export { type ConcurrencyLimit, type ConcurrencyStatus, concurrencyLimit } from './web/layers/concurrency-limit.ts';
export type { ConcurrencyLimitOptions, QueueCodelOptions } from './web/layers/concurrency-options.ts';
export { type LoadShedding, type LoadSheddingOptions, loadShedding } from './web/layers/load-shedding.ts';
export {
  type RateLimiting,
  type RateLimitOptions,
  type RateLimitStatus,
  type RateStore,
  rateLimit,
} from './web/layers/rate-limit.ts';
export { type RequestClassOptions, requestClass } from './web/layers/request-class.ts';
export { type RequestIdOptions, requestId } from './web/layers/request-id.ts';
export type { KeySource } from './web/layers/request-key.ts';
export { type TimeoutOptions, timeout } from './web/layers/timeout.ts';
export { type MatchedRoute, matchRoutes, type RouteMatch } from './web/predicate.ts';
export { type ReplyOptions, reply } from './web/reply.ts';
export {
  type RouteOptions,
  type Router,
  type RouterOptions,
  router,
  type WebSocketRouteOptions,
} from './web/router.ts';
