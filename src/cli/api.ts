import { textOption, type CommandLine } from './args.js'
import { CommandError, UsageError } from './errors.js'
import { errorReply } from './replies.js'
import type { Terminal } from './terminal.js'

const DEFAULT_URL = 'http://127.0.0.1:3000'
const TIMEOUT_MS = 15_000

/** The address of the node that a command asks. Throws UsageError. */
export function nodeUrl(line: CommandLine): string {
  const url = textOption(line, 'url') ?? DEFAULT_URL
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new UsageError('--url is an address such as https://rollcall.example.com')
  return url.replace(/\/+$/, '')
}

/** The HTTP API of one node. Every failure is a CommandError that says what a person can do about it. */
export class Api {
  readonly #base: string
  readonly #apiKey: string | undefined

  constructor(line: CommandLine, { env }: Pick<Terminal, 'env'>) {
    this.#base = nodeUrl(line)
    this.#apiKey = textOption(line, 'api-key') ?? (env.ROLLCALL_API_KEY === '' ? undefined : env.ROLLCALL_API_KEY)
  }

  /** `segments` are the parts of the path below `/v1`, not encoded yet. */
  async get(segments: readonly string[], query: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const search = new URLSearchParams(query).toString()
    return this.#ask('GET', `${pathOf(segments)}${search === '' ? '' : `?${search}`}`)
  }

  async post(segments: readonly string[], body: object): Promise<unknown> {
    return this.#ask('POST', pathOf(segments), body)
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    let response: Response
    let text: string
    try {
      response = await fetch(this.#base + path, {
        method,
        headers: {
          ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      text = await response.text()
    } catch (error) {
      throw new CommandError(`no answer from ${this.#base}: ${reasonOf(error)}`, { cause: error })
    }
    const answer = parsed(text)
    if (response.ok && answer !== undefined) return answer
    throw new CommandError(complaint(answer) ?? `${this.#base}${path} answered ${response.status}: it does not seem to be a Rollcall node`)
  }
}

function pathOf(segments: readonly string[]): string {
  return `/v1/${segments.map(encodeSegment).join('/')}`
}

function encodeSegment(segment: string): string {
  // No user or channel has such a name, and in a URL, encoded or not, it would mean another path.
  if (segment === '' || segment === '.' || segment === '..') throw new UsageError(`${JSON.stringify(segment)} is no name`)
  return encodeURIComponent(segment)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function complaint(answer: unknown): string | undefined {
  const result = errorReply.safeParse(answer)
  if (!result.success) return undefined
  const { code, message, remediation } = result.data.error
  return `${code}: ${message}. ${remediation}`
}

function reasonOf(error: unknown): string {
  const { message, cause } = (error ?? {}) as { readonly message?: unknown; readonly cause?: { readonly code?: unknown; readonly message?: unknown } }
  return typeof cause?.code === 'string' ? `${cause.code}. Is a node running there? (--url)` : String(cause?.message ?? message)
}
