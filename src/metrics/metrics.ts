import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

import { METRICS, type MetricTable } from './table.js'

/** The event loop's lag is looked at this often, in ms. At the default of 10 that is nearly all that an idle node does. */
const LAG_SAMPLE_MS = 100

type Instrument<Row extends { type: string; labels: readonly string[] }> = Row['type'] extends 'counter'
  ? Pick<Counter<Row['labels'][number]>, 'inc'>
  : Row['type'] extends 'gauge'
    ? Pick<Gauge<Row['labels'][number]>, 'inc' | 'dec' | 'set'>
    : Pick<Histogram<Row['labels'][number]>, 'observe'>

type Instruments = { readonly [Key in keyof MetricTable]: Instrument<MetricTable[Key]> }

/** One node's metrics: `metrics.gaps.inc()`, `metrics.errors.inc({ code })`. What each means is in {@link METRICS}. */
export interface Metrics extends Instruments {
  readonly contentType: string
  /** The exposition format, process metrics included. */
  text(): Promise<string>
  /** The same as data, to be merged with that of other nodes. */
  json(): Promise<unknown>
  /** Called before each reading, to set gauges that are cheaper to read than to keep. */
  onCollect(collect: () => void): void
}

/** A registry of this node alone: several nodes in one process do not share any. */
export function createMetrics(nodeId: string): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_SAMPLE_MS })
  const collectors: (() => void)[] = []

  const instruments = Object.fromEntries(Object.entries(METRICS).map(([key, row]) => [key, instrument(row, registry)])) as unknown as Instruments
  instruments.nodeInfo.set({ node_id: nodeId, pid: String(process.pid) }, 1)

  const read = async <T>(reading: () => Promise<T>): Promise<T> => {
    for (const collect of collectors) collect()
    return reading()
  }
  return {
    ...instruments,
    contentType: registry.contentType,
    text: () => read(() => registry.metrics()),
    json: () => read(() => registry.getMetricsAsJSON()),
    onCollect: (collect) => {
      collectors.push(collect)
    },
  }
}

function instrument(row: MetricTable[keyof MetricTable], registry: Registry): Counter | Gauge | Histogram {
  const options = { name: row.name, help: row.help, labelNames: row.labels, registers: [registry] }
  switch (row.type) {
    case 'counter':
      return new Counter(options)
    case 'gauge':
      return new Gauge(options)
    case 'histogram':
      return new Histogram({ ...options, buckets: [...row.buckets] })
  }
}
