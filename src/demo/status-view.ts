import type { LinkState } from '../client/index.js'
import { byId, copyOf, part, setText } from './dom.js'
import { people } from './log-lines.js'
import { type NodeShare, shortNodeId } from './nodes.js'
import type { Attendance } from './room.js'

/** More nodes than these are in the bar only. */
const MOST_SHARES = 8

/** All that the head of the page shows. */
export interface Status {
  readonly link: LinkState
  /** Whether the SDK has been connected before: then a missing link is a lost one. */
  readonly wasConnected: boolean
  readonly isCurrent: boolean
  readonly attendance: Attendance
  readonly occupancy: number
  readonly version: number
  readonly roundTripMs: number | null
  readonly nodeId: string
  readonly shares: readonly NodeShare[]
}

/** The head of the page: the link, the numbers, and which node serves how many people. */
export class StatusView {
  readonly #linkText = byId('link-text', HTMLElement)
  readonly #occupancy = byId('occupancy', HTMLElement)
  readonly #version = byId('version', HTMLElement)
  readonly #roundTrip = byId('round-trip', HTMLElement)
  readonly #selfNodeLine = byId('self-node-line', HTMLElement)
  readonly #selfNode = byId('self-node', HTMLElement)
  readonly #selfNodeId = byId('self-node-id', HTMLElement)
  readonly #bar = byId('node-bar', HTMLElement)
  readonly #shares = byId('node-shares', HTMLUListElement)
  readonly #peopleState = byId('people-state', HTMLElement)
  #drawnShares = ''

  show(status: Status): void {
    const { link, attendance, isCurrent } = status
    const isIn = attendance !== 'out'
    document.body.dataset.link = link
    document.body.dataset.attendance = attendance
    document.body.dataset.current = String(!isIn || isCurrent)
    setText(this.#linkText, linkWords(status))
    setText(this.#occupancy, isIn ? String(status.occupancy) : '–')
    setText(this.#version, isIn && status.version > 0 ? grouped(status.version) : '–')
    setText(this.#roundTrip, status.roundTripMs === null ? '–' : `took ${milliseconds(status.roundTripMs)}`)
    setText(this.#peopleState, isIn && !isCurrent ? 'as last known, catching up…' : '')
    this.#showNodes(status)
  }

  #showNodes({ nodeId, shares }: Status): void {
    const own = shares.find((share) => share.nodeId === nodeId)
    this.#selfNodeLine.hidden = nodeId === ''
    this.#selfNode.dataset.colour = String(own?.colour ?? -1)
    setText(this.#selfNodeId, nodeId)

    const key = JSON.stringify(shares)
    if (key === this.#drawnShares) return
    this.#drawnShares = key
    this.#bar.replaceChildren(...shares.map(segment))
    this.#shares.replaceChildren(...shares.slice(0, MOST_SHARES).map(shareItem))
  }
}

function linkWords({ link, wasConnected, attendance, isCurrent }: Status): string {
  switch (link) {
    case 'CONNECTED':
      return attendance === 'out' || isCurrent ? 'live' : 'catching up…'
    case 'IDLE':
      return 'not connected'
    case 'CONNECTING':
      return wasConnected ? 'reconnecting…' : 'connecting…'
    case 'DISCONNECTED':
      return 'reconnecting…'
    case 'SUSPENDED':
      return 'waiting for the network…'
    case 'FAILED':
      return 'signed out'
  }
}

function segment({ people: count, colour }: NodeShare): HTMLElement {
  const element = document.createElement('span')
  element.className = 'bar__part'
  element.dataset.colour = String(colour)
  element.style.flexGrow = String(count)
  return element
}

function shareItem({ nodeId, people: count, colour }: NodeShare): HTMLLIElement {
  const item = copyOf('share-template', HTMLLIElement)
  item.dataset.colour = String(colour)
  item.title = `${nodeId}: ${people(count)}`
  setText(part(item, '.share__id', HTMLElement), shortNodeId(nodeId))
  setText(part(item, '.share__count', HTMLElement), String(count))
  return item
}

/** A version has sixteen digits; in threes one sees it move. */
function grouped(version: number): string {
  return String(version).replace(/\B(?=(\d{3})+$)/g, '\u2009')
}

function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`
}
