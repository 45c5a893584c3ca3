/** test/long/telegraf-hour.test.ts does the same for an hour. */
import { influxAway } from "../support/telegraf-away.ts";

influxAway("measures", 120);
