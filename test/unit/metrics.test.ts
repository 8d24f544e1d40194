import { expect, test } from '@jest/globals'

import { createMetrics, mergeMetrics, METRICS } from '../../src/metrics/index.js'

test('the table is consistent with what Prometheus asks of names', () => {
  const names = Object.values(METRICS).map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const { name, type, help } of Object.values(METRICS)) {
    expect(name).toMatch(/^rollcall_[a-z_]+$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(help).toMatch(/\.$/)
  }
})

test('nodes in one process count apart, and gauges can be read late', async () => {
  const [one, two] = [createMetrics('one'), createMetrics('two')]
  one.gaps.inc()
  one.errors.inc({ code: 'INVALID_TOKEN' })
  two.onCollect(() => two.feeds.set(7))
  const [first, second] = [await one.text(), await two.text()]
  expect(first).toContain('rollcall_gaps_total 1')
  expect(first).toContain('rollcall_errors_total{code="INVALID_TOKEN"} 1')
  expect(first).toContain('rollcall_node_info{node_id="one",pid="')
  expect(first).toContain('process_cpu_seconds_total')
  expect(second).toContain('rollcall_gaps_total 0')
  expect(second).toContain('rollcall_feeds 7')
})

test('workers are merged with a label each', async () => {
  const [one, two] = [createMetrics('one'), createMetrics('two')]
  one.sessions.set(3)
  two.sessions.set(4)
  two.commitSeconds.observe(0.003)
  const text = await mergeMetrics(new Map([['1', await one.json()], ['2', await two.json()], ['3', 'nonsense']]))
  expect(text).toContain('rollcall_sessions{worker="1"} 3')
  expect(text).toContain('rollcall_sessions{worker="2"} 4')
  expect(text).toContain('rollcall_commit_seconds_bucket{le="0.005",worker="2"} 1')
  expect(text).toContain('rollcall_commit_seconds_count{worker="2"} 1')
  expect(text).toMatch(/process_start_time_seconds\{worker="1"\}/)
  expect(text.match(/# HELP rollcall_sessions /g)).toHaveLength(1)
})
