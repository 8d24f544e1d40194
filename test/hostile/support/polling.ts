import { http, type HttpAnswer } from '../../support/http.js'
import type { NodeAddress } from '../../support/node.js'

/** Packets of one polling message are separated by this. */
export const SEPARATOR = '\x1e'

/** An Engine.IO connection by long-polling, of which each request is one HTTP request that a test may spoil. */
export class RawPolling {
  private constructor(
    readonly node: NodeAddress,
    readonly sid: string,
  ) {}

  static async open(node: NodeAddress): Promise<RawPolling> {
    const answer = await http(node.port, '/socket.io/?EIO=4&transport=polling')
    const { sid } = JSON.parse(answer.text.slice(1)) as { readonly sid: string }
    return new RawPolling(node, sid)
  }

  async login(userId: string): Promise<void> {
    await this.post(`40${JSON.stringify({ appId: 'dev', userId })}`)
    await this.poll()
  }

  get path(): string {
    return `/socket.io/?EIO=4&transport=polling&sid=${this.sid}`
  }

  async post(body: string | Buffer, headers: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> {
    return http(this.node.port, this.path, { method: 'POST', body, headers: { 'content-type': 'text/plain;charset=UTF-8', ...headers } })
  }

  async poll(): Promise<HttpAnswer> {
    return http(this.node.port, this.path)
  }
}
