import { invitationSuite } from './invitation-suite.js'
import { messageSuite } from './message-suite.js'
import { metadataSuite } from './metadata-suite.js'
import { singleRedis } from './setups.js'
import { rosterSuite } from './roster-suite.js'
import { statusSuite } from './status-suite.js'
import { storeSuite } from './store-suite.js'

storeSuite(singleRedis)
statusSuite(singleRedis)
metadataSuite(singleRedis)
rosterSuite(singleRedis)
invitationSuite(singleRedis)
messageSuite(singleRedis)
