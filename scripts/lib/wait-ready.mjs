// Usage: wait-ready.mjs URL PID. Exits 0 once URL answers 200, 1 when process PID has ended or after 90 seconds.
import { setTimeout as delay } from 'node:timers/promises'

const [url, pid] = process.argv.slice(2)
const deadline = Date.now() + 90_000

async function ready() {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

function lives() {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch {
    return false
  }
}

while (!(await ready())) {
  if (!lives() || Date.now() > deadline) process.exit(1)
  await delay(100)
}
