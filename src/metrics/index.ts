export { createMetrics, type Metrics } from './metrics.js'
export { mergeMetrics } from './merge.js'
export { METRICS } from './table.js'
