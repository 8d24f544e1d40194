import express, { type Request, type RequestHandler } from 'express'

import { RollcallError } from '../protocol/errors.js'
import { readerOf } from '../protocol/fields.js'
import type { Limits } from '../protocol/limits.js'
import { checkUserId } from '../protocol/names.js'

type UserListLimits = Pick<Limits, 'usersPerQuery' | 'nameBytes'>

/** Bytes that one byte of a name may take in JSON (`\u0001`), and what stands around a name and around the list. */
const ESCAPED = 6
const BESIDE_A_NAME = 8
const BESIDE_THE_LIST = 1_024

/** Reads a body of JSON that is large enough for a list of users, however it is written, and not much larger. */
export function userListBody({ usersPerQuery, nameBytes }: UserListLimits): RequestHandler {
  return express.json({ limit: usersPerQuery * (nameBytes * ESCAPED + BESIDE_A_NAME) + BESIDE_THE_LIST })
}

/** The body's object; one of no bytes has no properties. PRESENCE_INVALID_ARGUMENT for what is no JSON object. */
export function bodyObject(req: Request): Readonly<Record<string, unknown>> {
  // A body of no bytes is none, whatever it is said to be.
  if (req.is('json') === false && req.headers['content-length'] !== '0') throw invalid('the body has the content type application/json')
  const body: unknown = req.body ?? {}
  if (readerOf(body) === null) throw invalid('the body is an object')
  return body as Readonly<Record<string, unknown>>
}

/** A list of user ids under a name, in its order. PRESENCE_INVALID_ARGUMENT, or INVALID_USER_ID for one that nobody can have. */
export function userList(body: Readonly<Record<string, unknown>>, name: string, limits: UserListLimits): readonly string[] {
  const value = Object.hasOwn(body, name) ? body[name] : undefined
  if (!Array.isArray(value)) throw invalid(`${name} is a list of user ids`)
  if (value.length > limits.usersPerQuery) throw invalid(`${name} has at most ${limits.usersPerQuery} user ids`)
  return value.map((userId: unknown) => checkUserId(userId, limits))
}

function invalid(reason: string): RollcallError {
  return new RollcallError('PRESENCE_INVALID_ARGUMENT', reason)
}
