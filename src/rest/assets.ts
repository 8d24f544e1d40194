import { fileURLToPath } from 'node:url'

import express, { Router, type NextFunction, type Response } from 'express'

import { RollcallError } from '../protocol/errors.js'
import { methodNotAllowed } from './errors.js'

/** Where the build puts what browsers load: in `dist/` beside this module, or from the sources in the `dist/` next to them. */
const DIST = new URL('../../dist/', import.meta.url)

export interface AssetFolders {
  readonly browser: string
  readonly demo: string
}

const BUILT: AssetFolders = { browser: fileURLToPath(new URL('browser', DIST)), demo: fileURLToPath(new URL('demo', DIST)) }

/**
 * `/client.js`, the SDK for browsers as an ES module, and `/demo`, the page that shows it. Browsers ask each time
 * whether theirs is still the right one, so an update is seen at once.
 */
export function assets(folders: AssetFolders = BUILT): Router {
  const router = Router()
  for (const file of ['client.js', 'client.js.map']) {
    router
      .route(`/${file}`)
      .get((_req, res, next) => {
        // Pages of any origin may load the SDK; what it may then do is decided at its login.
        res.set({ 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' })
        sendBuilt(res, file, folders.browser, next)
      })
      .all(methodNotAllowed('GET'))
  }
  router
    .route('/demo')
    .get((_req, res, next) => {
      sendBuilt(res, 'index.html', folders.demo, next)
    })
    .all(methodNotAllowed('GET'))
  router.use('/demo', express.static(folders.demo, { index: false, redirect: false, cacheControl: false, setHeaders: (res: Response) => res.set(REVALIDATE) }))
  return router
}

const REVALIDATE = { 'Cache-Control': 'no-cache' }

function sendBuilt(res: Response, file: string, root: string, next: NextFunction): void {
  res.sendFile(file, { root, headers: REVALIDATE, cacheControl: false }, (error: unknown) => {
    if (error === undefined || res.headersSent) return
    next(new RollcallError('NOT_FOUND', `${file} is not there: npm run build makes it`, '', { cause: error }))
  })
}
