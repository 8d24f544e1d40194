import { metadataSuite } from './metadata-suite.js'
import { clusteredRedis } from './setups.js'
import { storeSuite } from './store-suite.js'

storeSuite(clusteredRedis)
metadataSuite(clusteredRedis)
