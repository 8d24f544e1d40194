import { metadataSuite } from './metadata-suite.js'
import { singleRedis } from './setups.js'
import { storeSuite } from './store-suite.js'

storeSuite(singleRedis)
metadataSuite(singleRedis)
