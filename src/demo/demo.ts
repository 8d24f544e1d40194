/** The demo page at `/demo`: one room, live. The network switch comes before everything that opens a connection. */
import './network.js'
import { byId } from './dom.js'
import { Notices } from './notices.js'
import { Page } from './page.js'
import { problemOf } from './problems.js'
import { readSettings, roomAddress } from './settings.js'

const settings = readSettings(location.search)
try {
  new Page(settings).start()
} catch (error) {
  // A room name that cannot be one.
  document.body.dataset.link = 'FAILED'
  byId('link-text', HTMLElement).textContent = 'not connected'
  byId('self-name', HTMLElement).textContent = settings.userId
  new Notices().show(problemOf(error), {
    label: 'Go to the lobby',
    run: () => {
      location.assign(roomAddress('lobby', settings.appId))
    },
  })
}
