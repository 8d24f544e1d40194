import { expect } from '@jest/globals'

import { ERRORS, type ErrorCode } from '../../../src/protocol/errors.js'

/** A reply is a success, or an error of the catalogue in full; never anything else. */
export function expectOfCatalogue(reply: unknown): void {
  const { ok, error } = reply as { readonly ok?: unknown; readonly error?: { readonly code?: ErrorCode } }
  if (ok === true) {
    expect(reply).toMatchObject({ timestamp: expect.any(Number) })
    return
  }
  const code = error?.code
  expect(Object.keys(ERRORS)).toContain(code)
  const row = ERRORS[code ?? 'INTERNAL']
  expect(reply).toEqual({
    ok: false,
    error: { code, errorCode: row.errorCode, operation: expect.any(String), reason: expect.stringMatching(/^[^\n]{1,300}$/), retryable: row.retryable },
  })
}

/** Every reply and every refused login among these Engine.IO messages is of the catalogue. */
export function expectAllOfCatalogue(messages: readonly string[]): void {
  for (const message of messages) {
    const reply = /^43\D*[\d.e+]*(\[.*)$/s.exec(message)?.[1]
    if (reply !== undefined) for (const one of JSON.parse(reply) as unknown[]) expectOfCatalogue(one)
    const refusal = /^44(\{.*)$/s.exec(message)?.[1]
    if (refusal === undefined) continue
    const { data } = JSON.parse(refusal) as { readonly data?: unknown }
    if (data !== undefined) expectOfCatalogue({ ok: false, error: data })
  }
}
