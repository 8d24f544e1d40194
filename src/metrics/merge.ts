import { AggregatorRegistry } from 'prom-client'

interface Value {
  readonly labels: Readonly<Record<string, string | number>>
}

interface Reading {
  readonly name: string
  readonly values: readonly Value[]
}

/**
 * One exposition of several nodes' metrics ({@link Metrics.json}), told apart by a label `worker`. They are not summed:
 * when a worker is replaced its counters begin again, and only a series of its own shows that as the reset it is.
 */
export async function mergeMetrics(readings: ReadonlyMap<string, unknown>): Promise<string> {
  const labelled: object[] = []
  for (const [worker, reading] of readings) {
    if (!Array.isArray(reading)) continue
    labelled.push(reading.filter(isReading).map((metric) => ({ ...metric, aggregator: 'sum', values: withWorker(metric.values, worker) })))
  }
  return AggregatorRegistry.aggregate(labelled).metrics()
}

function withWorker(values: readonly Value[], worker: string): readonly Value[] {
  return values.map((value) => ({ ...value, labels: { ...value.labels, worker } }))
}

function isReading(value: unknown): value is Reading {
  return typeof value === 'object' && value !== null && 'name' in value && 'values' in value && Array.isArray(value.values)
}
