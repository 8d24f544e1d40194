import type { LinkStateEvent, Member, PresenceMessage } from '../client/index.js'
import { Announcer } from './announcer.js'
import { Controls } from './controls.js'
import { byId } from './dom.js'
import { FriendsTab } from './friends/friends-tab.js'
import { GoneView } from './gone-view.js'
import { type Farewell, Grid } from './grid.js'
import { Invitation } from './invitation.js'
import { Storyteller } from './log-lines.js'
import { LogView } from './log-view.js'
import { countNodes, shortNodeId } from './nodes.js'
import { Notices, type NoticeAction } from './notices.js'
import { asksForToken, errorOfNumber, isAboutTheName, problemOf, type Problem } from './problems.js'
import { profileOf, profileStates, recallProfile, rememberProfile } from './profile.js'
import { Room, type Attendance } from './room.js'
import { SeatControls } from './seat-controls.js'
import { enterWithToken, roomAddress, type Settings } from './settings.js'
import { StatusView } from './status-view.js'
import { forget, recall, remember } from './tab-memory.js'
import { Tabs } from './tabs.js'
import { TokenDialog } from './token-dialog.js'

/** How often "2 min ago" is looked at again. */
const AGO_MS = 20_000
const NOBODY: ReadonlyMap<string, Member> = new Map()

/** Holds the room and the parts of the page together: what happens goes to whoever shows it, once a frame. */
export class Page {
  readonly #settings: Settings
  readonly #room: Room
  readonly #notices = new Notices()
  readonly #tokenDialog = new TokenDialog()
  readonly #announcer = new Announcer()
  readonly #storyteller = new Storyteller()
  readonly #log = new LogView(byId('log', HTMLOListElement))
  readonly #status = new StatusView()
  readonly #invitation = new Invitation()
  readonly #gone = new GoneView()
  readonly #grid: Grid
  readonly #controls: Controls
  readonly #seat: SeatControls
  readonly #friends: FriendsTab
  readonly #tabs: Tabs
  readonly #farewells = new Map<string, Farewell>()
  #wasConnected = false
  #isDrawing = false

  constructor(settings: Settings) {
    this.#settings = settings
    this.#room = new Room(settings, {
      changed: () => {
        this.#drawSoon()
      },
      happened: (event) => {
        this.#happened(event)
      },
      reached: (change) => {
        const line = this.#storyteller.tellPeer(change, this.#room.members.has(change.userId))
        if (line !== null) this.#log.add(line, change.timestamp)
      },
      linked: (event) => {
        this.#linked(event)
      },
      ended: (reason, errorCode) => {
        this.#ended(reason, errorCode)
      },
      token: ({ eventType }) => {
        if (eventType === 'WILL_EXPIRE') this.#askForRenewal()
      },
      failed: (error) => {
        this.#failed(error)
      },
    })
    this.#grid = new Grid(byId('people', HTMLUListElement), byId('more', HTMLElement), this.#invitation.element, settings.userId)
    this.#controls = new Controls(recallProfile(), {
      said: (patch, profile) => {
        rememberProfile(profile)
        this.#room.say(patch)
      },
    })
    this.#seat = new SeatControls({
      attend: (wish) => this.#attend(wish),
      cut: (seconds) => {
        this.#log.add({ kind: 'link', who: '', what: `you pulled the cable for ${seconds} s`, group: '' })
      },
    })
    this.#friends = new FriendsTab(settings, this.#room.client, {
      changed: () => {
        this.#drawSoon()
      },
      failed: (error) => {
        this.#failed(error)
      },
      signIn: () => void this.#attend('seen'),
      around: () => (this.#room.attendance === 'out' ? [] : this.#room.members.keys()),
    })
    this.#tabs = new Tabs(byId('tabs', HTMLElement), (name) => {
      this.#friends.isOpen = name === 'friends'
    })
  }

  start(): void {
    const { room, appId, userId } = this.#settings
    byId('room-name', HTMLElement).textContent = room
    byId('room-input', HTMLInputElement).value = room
    byId('self-name', HTMLElement).textContent = userId
    for (const link of document.querySelectorAll<HTMLAnchorElement>('[data-second-person]')) {
      link.href = roomAddress(room, appId) + (link.dataset.secondPerson === '' ? '' : `#${link.dataset.secondPerson}`)
    }
    this.#invitation.onReturn = () => void this.#attend('seen')
    this.#draw()
    setInterval(() => { this.#drawSoon() }, AGO_MS)
    this.#tabs.start()
    void this.#attend(recall('attendance') === 'quiet' ? 'quiet' : 'seen')
  }

  #wayOutOf(error: unknown, wish: Attendance): NoticeAction {
    if (!isAboutTheName(error)) return { label: 'Try again', run: () => void this.#attend(wish) }
    const { room, appId } = this.#settings
    return {
      label: 'Take another name',
      run: () => {
        forget('user')
        location.assign(roomAddress(room, appId))
      },
    }
  }

  async #attend(wish: Attendance): Promise<void> {
    this.#seat.isBusy = true
    this.#notices.clear()
    try {
      if (wish === 'out') await this.#room.leave()
      else await this.#room.enter(wish, profileStates(this.#controls.profile))
      remember('attendance', wish)
    } catch (error) {
      this.#failed(error, this.#wayOutOf(error, wish))
    } finally {
      this.#seat.isBusy = false
      this.#drawSoon()
    }
  }

  #happened(event: PresenceMessage): void {
    this.#rememberFarewells(event)
    const line = this.#storyteller.tell(event)
    if (line === null) return
    this.#log.add(line, event.timestamp)
    if (line.kind === 'join' || line.kind === 'leave' || line.kind === 'timeout') this.#announcer.announce(line.who, line.what)
  }

  #rememberFarewells({ eventType, publisher, interval }: PresenceMessage): void {
    if (eventType === 'REMOTE_LEAVE') this.#farewells.set(publisher, 'left')
    if (eventType === 'REMOTE_TIMEOUT') this.#farewells.set(publisher, 'timed out')
    for (const userId of interval?.leave.users ?? []) this.#farewells.set(userId, 'left')
    for (const userId of interval?.timeout.users ?? []) this.#farewells.set(userId, 'timed out')
  }

  #linked({ currentState, operation, isResumed }: LinkStateEvent): void {
    const node = shortNodeId(this.#room.nodeId)
    const note = (what: string): void => {
      this.#log.add({ kind: 'link', who: '', what, group: '' })
    }
    if (currentState === 'CONNECTED') {
      this.#wasConnected = true
      if (operation !== 'RECONNECTED') note(`connected to ${node}`)
      else note(isResumed ? `back on ${node}; your seat was kept` : `back on ${node}; the others saw you time out`)
    }
    if (currentState === 'DISCONNECTED') note('connection lost')
    if (currentState === 'SUSPENDED') note('the seat is given up')
    this.#drawSoon()
  }

  #ended(reason: string, errorCode: number | null): void {
    this.#notices.clear()
    const back = { label: 'Come back', run: () => void this.#attend('seen') }
    if (errorCode === null) this.#notices.show({ title: 'You were shown out', advice: reason, code: '' }, back)
    else this.#failed(errorOfNumber(errorCode, reason), back)
  }

  #failed(error: unknown, action?: NoticeAction): void {
    const problem = problemOf(error)
    if (asksForToken(error)) {
      const { token, userId, room } = this.#settings
      const ask = (): void => {
        this.#tokenDialog.ask(userId, tokenProblem(problem, token !== null), (answer) => {
          enterWithToken(answer, room)
        })
      }
      ask()
      this.#notices.show(problem, { label: 'Enter a token', run: ask })
    } else {
      this.#notices.show(problem, action)
    }
    this.#drawSoon()
  }

  #askForRenewal(): void {
    const renew = (): void => {
      this.#tokenDialog.ask(this.#settings.userId, '', (token, { userId }) => {
        remember('token', token)
        if (userId !== this.#settings.userId) enterWithToken(token, this.#settings.room)
        else this.#room.renewToken(token).catch((error: unknown) => { this.#failed(error) })
      })
    }
    this.#notices.show(
      { title: 'Your token runs out in half a minute', advice: 'With a new one you stay, and nobody notices.', code: '' },
      { label: 'Renew', run: renew },
    )
  }

  #drawSoon(): void {
    if (this.#isDrawing) return
    this.#isDrawing = true
    requestAnimationFrame(() => {
      this.#isDrawing = false
      this.#draw()
    })
  }

  #draw(): void {
    const room = this.#room
    const { attendance } = room
    const members = attendance === 'out' ? NOBODY : room.members
    const shares = countNodes(members)
    const isReady = room.link === 'CONNECTED' && !this.#seat.isBusy && (attendance === 'out' || room.isCurrent)
    if (attendance === 'out') this.#grid.clear()
    else this.#grid.show(members, shares, this.#farewells, (userId) => room.company.isAway(userId))
    this.#farewells.clear()
    if (attendance !== 'out' && room.isCurrent) room.company.meet(members)
    this.#gone.show(attendance === 'out' ? [] : room.company.gone(members))
    this.#invitation.show({ attendance, occupancy: members.size, isReady })
    this.#status.show({
      link: room.link,
      wasConnected: this.#wasConnected,
      isCurrent: room.isCurrent,
      attendance,
      occupancy: members.size,
      version: attendance === 'out' ? 0 : room.version,
      roundTripMs: room.roundTripMs,
      nodeId: room.nodeId,
      shares,
    })
    this.#seat.show(attendance, room.link)
    this.#controls.disabled = attendance === 'quiet'
    this.#takeOverOwnState(members)
    this.#friends.draw()
    const { caller } = this.#friends
    const title = attendance === 'out' ? room.name : `(${members.size}) ${room.name}`
    document.title = `${caller === null ? title : `☎ ${caller} is calling`} · Rollcall`
  }

  /** The same user may have another session, and change something there. */
  #takeOverOwnState(members: ReadonlyMap<string, Member>): void {
    const self = members.get(this.#room.userId)
    if (self === undefined || this.#room.attendance !== 'seen' || !this.#room.isSettled) return
    this.#controls.show(profileOf({ ...profileStates(this.#controls.profile), ...self.states }))
  }
}

/** What the token's dialog says of why it asks; nothing to whoever is asked for the first time. */
function tokenProblem({ title, advice, code }: Problem, wasGiven: boolean): string {
  if (wasGiven) return `The last one was refused: ${title} (${code}).`
  return code.startsWith('INVALID_APP_ID') ? `${title}. ${advice}` : ''
}
