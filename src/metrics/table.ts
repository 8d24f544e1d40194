interface Row {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  readonly buckets?: readonly number[]
}

/** Every metric of a node besides those of its process. `docs/operating.md` has the same list; a test holds them together. */
export const METRICS = {
  nodeInfo: { name: 'rollcall_node_info', type: 'gauge', help: '1, labelled with the id of this life of the node and its process.', labels: ['node_id', 'pid'] },
  inService: { name: 'rollcall_in_service', type: 'gauge', help: '1 while Redis answers heartbeats in time, 0 otherwise.', labels: [] },

  sockets: { name: 'rollcall_sockets', type: 'gauge', help: 'Open client connections.', labels: [] },
  sessions: { name: 'rollcall_sessions', type: 'gauge', help: 'Logged-in sessions that this node owns.', labels: [] },
  memberships: { name: 'rollcall_memberships', type: 'gauge', help: 'Memberships (a session in a channel) that this node vouches for.', labels: [] },
  feeds: { name: 'rollcall_feeds', type: 'gauge', help: 'Channels that this node follows.', labels: [] },
  watchers: { name: 'rollcall_watchers', type: 'gauge', help: 'Subscriptions of sessions to the events of a channel.', labels: [] },
  peers: { name: 'rollcall_peers', type: 'gauge', help: 'Users whose status this node follows.', labels: [] },
  peerSubscriptions: { name: 'rollcall_peer_subscriptions', type: 'gauge', help: 'Subscriptions of sessions to the status of a user.', labels: [] },

  requests: { name: 'rollcall_requests_total', type: 'counter', help: 'Requests of clients, by name.', labels: ['name'] },
  errors: { name: 'rollcall_errors_total', type: 'counter', help: 'Requests and logins that were refused or failed, by error code.', labels: ['code'] },
  coalesced: { name: 'rollcall_coalesced_calls_total', type: 'counter', help: 'State changes over the rate that were made together with others, as one change.', labels: [] },
  httpRequests: { name: 'rollcall_http_requests_total', type: 'counter', help: 'HTTP API requests, by method and status.', labels: ['method', 'status'] },

  changes: { name: 'rollcall_changes_total', type: 'counter', help: 'Changes that feeds applied, by kind.', labels: ['kind'] },
  gaps: { name: 'rollcall_gaps_total', type: 'counter', help: 'Times that a feed, or a partition of peers\' statuses or of post, noticed that it had missed something.', labels: [] },
  rebases: { name: 'rollcall_rebases_total', type: 'counter', help: 'Times that a feed was replaced by a snapshot from Redis.', labels: [] },

  packets: { name: 'rollcall_packets_total', type: 'counter', help: 'Presence packets handed to client connections.', labels: [] },
  events: { name: 'rollcall_events_total', type: 'counter', help: 'Presence events in those packets.', labels: [] },
  peerChanges: { name: 'rollcall_peer_changes_total', type: 'counter', help: 'Changes of users\' statuses handed to client connections.', labels: [] },
  notices: { name: 'rollcall_notices_total', type: 'counter', help: 'Statuses that users told each other, and notices about rosters, handed to client connections.', labels: ['kind'] },
  noticesDropped: { name: 'rollcall_notices_dropped_total', type: 'counter', help: 'Those that a client was too slow for, and was not told.', labels: ['kind'] },
  snapshots: { name: 'rollcall_snapshots_total', type: 'counter', help: 'SNAPSHOT events sent to clients.', labels: [] },
  skipped: { name: 'rollcall_skipped_total', type: 'counter', help: 'Times that a slow client was skipped until it drained.', labels: [] },
  dropped: { name: 'rollcall_dropped_total', type: 'counter', help: 'Connections that the node ended, by reason.', labels: ['reason'] },

  messagesDelivered: { name: 'rollcall_messages_delivered_total', type: 'counter', help: 'Messages from users handed to client connections.', labels: [] },
  messagesDropped: { name: 'rollcall_messages_dropped_total', type: 'counter', help: 'Messages that waited for a user and fell out, because there were more than `offlineMessages`.', labels: [] },

  commits: { name: 'rollcall_commits_total', type: 'counter', help: 'Batches of changes sent to Redis.', labels: [] },
  ops: { name: 'rollcall_ops_total', type: 'counter', help: 'Operations in those batches, by kind.', labels: ['kind'] },
  refused: { name: 'rollcall_refused_batches_total', type: 'counter', help: 'Batches that Redis refused, by reason.', labels: ['why'] },
  commitSeconds: {
    name: 'rollcall_commit_seconds',
    type: 'histogram',
    help: 'Time from sending a batch to its answer.',
    labels: [],
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  heartbeats: { name: 'rollcall_heartbeats_total', type: 'counter', help: 'Heartbeats of partitions, by outcome.', labels: ['outcome'] },
  reconciles: { name: 'rollcall_reconciles_total', type: 'counter', help: 'Times that the node compared what it has with Redis, by reason.', labels: ['reason'] },
  swept: { name: 'rollcall_swept_total', type: 'counter', help: 'Memberships that this node ended for want of a sign of life.', labels: [] },

  webhooksDelivered: { name: 'rollcall_webhooks_delivered_total', type: 'counter', help: 'Events that a receiver has taken.', labels: ['receiver'] },
  webhooksRetried: { name: 'rollcall_webhooks_retried_total', type: 'counter', help: 'Attempts that failed and were followed by another one.', labels: ['receiver'] },
  webhooksGivenUp: { name: 'rollcall_webhooks_given_up_total', type: 'counter', help: 'Events that a receiver could not be given.', labels: ['receiver'] },
  webhooksDropped: { name: 'rollcall_webhooks_dropped_total', type: 'counter', help: 'Events that fell out of the outbox before a receiver could be given them.', labels: ['receiver'] },
  webhookBacklog: { name: 'rollcall_webhook_backlog', type: 'gauge', help: 'Events that wait for a receiver, of the partitions that this node delivers.', labels: ['receiver'] },

  invitations: { name: 'rollcall_invitations_total', type: 'counter', help: 'Invitations that this node has brought to a state, by that state.', labels: ['state'] },

  redisCalls: { name: 'rollcall_redis_calls_total', type: 'counter', help: 'Commands sent to Redis, by command.', labels: ['command'] },
} as const satisfies Record<string, Row>

export type MetricTable = typeof METRICS
