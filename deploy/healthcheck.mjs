// The container's health check: node deploy/healthcheck.mjs /readyz
const path = process.argv[2] ?? '/livez'
const url = `http://127.0.0.1:${process.env.PORT ?? '3000'}${path}`
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_500) })
  if (!response.ok) throw new Error(`${String(response.status)} ${await response.text()}`)
} catch (error) {
  console.error(`${url}: ${String(error)}`)
  process.exit(1)
}
