import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'

const TIMEOUT_MS = 5_000

export interface Answer {
  readonly status: number
  readonly body: string
  /** `name=value` of each cookie that the answer sets. */
  readonly cookies: readonly string[]
}

/**
 * One request on a connection of its own, as a balancer may get it from a browser, which opens several. Rejects when
 * there is no answer.
 */
export async function ask(url: string, { method = 'GET', headers = {}, body }: { method?: string; headers?: Readonly<Record<string, string>>; body?: string } = {}): Promise<Answer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  return new Promise<Answer>((resolve, reject) => {
    const asked = send(url, { method, headers, agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
      text(response).then((content) => {
        resolve({
          status: response.statusCode ?? 0,
          body: content,
          cookies: (response.headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0] ?? ''),
        })
      }, reject)
    })
    asked.on('error', (error: Error & { code?: string }) => {
      reject(new Error(error.name === 'AbortError' || error.name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1_000} s` : (error.code ?? error.message), { cause: error }))
    })
    asked.end(body)
  })
}

export function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return undefined
  }
}
