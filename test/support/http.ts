import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

export interface HttpAnswer {
  readonly status: number
  readonly type: string
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
  /** The body as JSON, or `undefined` when it is none. */
  readonly json: unknown
}

export interface HttpQuestion {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** One HTTP request whose path goes out exactly as it is written: nothing is normalized, encoded or followed. */
export async function http(port: number, path: string, { method = 'GET', headers = {}, body }: HttpQuestion = {}): Promise<HttpAnswer> {
  const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false, timeout: 10_000 })
  asked.on('timeout', () => asked.destroy(new Error(`${method} ${path} was not answered`)))
  const answered = once(asked, 'response')
  asked.end(body)
  const [response] = (await answered) as [IncomingMessage]
  const content = await text(response)
  return {
    status: response.statusCode ?? 0,
    type: response.headers['content-type'] ?? '',
    headers: response.headers,
    text: content,
    json: parse(content),
  }
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content) as unknown
  } catch {
    return undefined
  }
}
