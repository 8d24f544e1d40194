import { createServer, type RequestListener, type Server } from 'node:http'

/** How long a client may take, in ms. */
export interface HttpPatience {
  /** From the connection, or the end of the request before, to the end of a request's headers. */
  readonly headersMs: number
  /** To the end of its body. A long poll has none: how long it waits for its answer is not counted. */
  readonly requestMs: number
}

/** Much more than a slow network needs, and far less than what Node allows by itself (1 and 5 minutes). */
const HTTP_PATIENCE: HttpPatience = { headersMs: 10_000, requestMs: 30_000 }

/**
 * An HTTP server that does not wait for requests that never end: whoever holds a connection open with half of one gets
 * 408 and is cut off, within a tenth of the time more. WebSockets are not concerned once they are open.
 */
export function createHttpServer(listener?: RequestListener, { headersMs, requestMs }: HttpPatience = HTTP_PATIENCE): Server {
  return createServer({ headersTimeout: headersMs, requestTimeout: requestMs, connectionsCheckingInterval: headersMs / 10 }, listener)
}
