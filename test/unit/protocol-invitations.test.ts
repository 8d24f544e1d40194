import { describe, expect, test } from '@jest/globals'

import { RollcallError } from '../../src/protocol/errors.js'
import { parseAnswerInvitation, parseCancelInvitation, parseGetInvitations, parseInvite } from '../../src/protocol/invitations.js'
import { DEFAULT_LIMITS } from '../../src/protocol/limits.js'

function codeOf(parse: () => unknown): string {
  try {
    parse()
  } catch (error) {
    if (error instanceof RollcallError) return error.code
    throw error
  }
  return 'accepted'
}

const NAME = { userId: 'bob', id: 'call-0001' }
const invite = (fields: object) => codeOf(() => parseInvite({ ...NAME, ...fields }))
const answer = (fields: object) => codeOf(() => parseAnswerInvitation({ id: 'call-0001', ...fields }))

class Call {
  userId = 'bob'
  id = 'call-0001'
}

describe('requests', () => {
  test('defaults', () => {
    expect(parseInvite(NAME)).toEqual({ ...NAME, content: '', channelId: '' })
    expect(parseAnswerInvitation({ id: 'call-0001' })).toEqual({ id: 'call-0001', response: '' })
    expect(parseGetInvitations({})).toEqual([])
  })

  test('everything, and what is not known is passed over', () => {
    const full = { ...NAME, content: 'a\0b "😀"', channelId: 'room' }
    expect(parseInvite({ ...full, state: 'ACCEPTED', caller: 'eve' })).toEqual(full)
    expect(parseCancelInvitation({ ...NAME, content: 'x' })).toEqual(NAME)
    expect(parseGetInvitations({ sent: [full, NAME] })).toEqual([NAME, NAME])
  })

  test.each([undefined, null, 7, 'x', [NAME], () => NAME, Buffer.from('{}'), new Map()])('%p is no request', (payload) => {
    for (const parse of [parseInvite, parseCancelInvitation, parseAnswerInvitation, parseGetInvitations]) expect(codeOf(() => parse(payload))).toBe('PRESENCE_INVALID_ARGUMENT')
  })

  test('nothing is read from a prototype', () => {
    expect(codeOf(() => parseInvite(Object.create(NAME)))).toBe('PRESENCE_INVALID_ARGUMENT')
    expect(codeOf(() => parseCancelInvitation(JSON.parse('{"__proto__":{"userId":"bob","id":"call-0001"}}')))).toBe('INVALID_USER_ID')
    expect(codeOf(() => parseInvite(new Call()))).toBe('PRESENCE_INVALID_ARGUMENT')
  })
})

describe('an id', () => {
  test.each(['x'.repeat(8), 'x'.repeat(64), 'AZaz09_-', '--------'])('may be %p', (id) => {
    expect([invite({ id }), answer({ id })]).toEqual(['accepted', 'accepted'])
  })

  test.each([undefined, null, 7, '', 'x'.repeat(7), 'x'.repeat(65), 'call 0001', 'call:0001', 'cäll-0001', 'call-0001\n', ['call-0001'], { id: 'call-0001' }])('may not be %p', (id) => {
    expect([invite({ id }), answer({ id }), codeOf(() => parseGetInvitations({ sent: [{ ...NAME, id }] }))]).toEqual(Array(3).fill('PRESENCE_INVALID_ARGUMENT'))
  })
})

describe('what is said', () => {
  const { invitationBytes, nameBytes, invitations } = DEFAULT_LIMITS

  test.each([null, 7, true, {}, ['x'], Buffer.from('x')])('is no %p', (text) => {
    expect([invite({ content: text }), invite({ channelId: text }), answer({ response: text })]).toEqual(Array(3).fill('PRESENCE_INVALID_ARGUMENT'))
  })

  test('has so many bytes of UTF-8 and not one more', () => {
    const full = `${'€'.repeat(Math.floor(invitationBytes / 3))}${'x'.repeat(invitationBytes % 3)}`
    expect(Buffer.byteLength(full)).toBe(invitationBytes)
    expect([invite({ content: full }), answer({ response: full })]).toEqual(['accepted', 'accepted'])
    expect([invite({ content: `${full}x` }), answer({ response: `x${full}` })]).toEqual(['INVITATION_TOO_LARGE', 'INVITATION_TOO_LARGE'])
    expect([invite({ channelId: 'x'.repeat(nameBytes) }), invite({ channelId: '€'.repeat(22) })]).toEqual(['accepted', 'INVITATION_TOO_LARGE'])
  })

  test('is well-formed Unicode', () => {
    expect([invite({ content: 'a\ud800' }), invite({ channelId: '\udc00' }), answer({ response: 'a\ud800b' })]).toEqual(Array(3).fill('PRESENCE_INVALID_ARGUMENT'))
  })

  test('a list has at most as many as may be open, and holes show', () => {
    const list = (sent: unknown) => codeOf(() => parseGetInvitations({ sent }))
    expect([list(Array(invitations).fill(NAME)), list(Array(invitations + 1).fill(NAME))]).toEqual(['accepted', 'PRESENCE_INVALID_ARGUMENT'])
    expect([list(null), list({}), list('x'), list([null]), list(Array(1)), list([{ id: NAME.id }])]).toEqual([...Array<string>(5).fill('PRESENCE_INVALID_ARGUMENT'), 'INVALID_USER_ID'])
  })
})
