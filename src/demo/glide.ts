import { prefersStillness } from './dom.js'

/** Above this many children measuring costs more than the effect is worth. */
const MOST_GLIDING = 60

/** Changes the children of a list, and lets those that stay glide to their new places. */
export function glide(list: HTMLElement, change: () => void): void {
  if (list.childElementCount > MOST_GLIDING || document.hidden || prefersStillness()) {
    change()
    return
  }
  const before = new Map([...list.children].map((child) => [child, child.getBoundingClientRect()]))
  change()
  for (const [child, from] of before) {
    if (!child.isConnected) continue
    const to = child.getBoundingClientRect()
    const x = from.left - to.left
    const y = from.top - to.top
    if (x === 0 && y === 0) continue
    child.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }], { duration: 320, easing: 'cubic-bezier(.2,.8,.2,1)' })
  }
}
