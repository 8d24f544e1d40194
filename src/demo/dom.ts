/** The element with this id; the page's own markup promises it, so a missing one is a mistake of ours. */
export function byId<T extends Element>(id: string, type: new () => T): T {
  const element = document.getElementById(id)
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} with the id "${id}"`)
  return element
}

/** The one element inside `root` that `selector` names. */
export function part<T extends Element>(root: ParentNode, selector: string, type: new () => T): T {
  const element = root.querySelector(selector)
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} at "${selector}"`)
  return element
}

/** A copy of the first element of a `<template>`. */
export function copyOf<T extends Element>(templateId: string, type: new () => T): T {
  const first = byId(templateId, HTMLTemplateElement).content.firstElementChild
  const copy = first?.cloneNode(true)
  if (!(copy instanceof type)) throw new Error(`the template "${templateId}" does not begin with a ${type.name}`)
  return copy
}

/** Writes text only where it differs, so that an unchanged card costs nothing and no screen reader speaks twice. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

export function prefersStillness(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches
}
