/** InfluxDB, of which there is one, is away for an hour, as while its node is repaired. */
import { influxAway } from "../support/telegraf-away.ts";

influxAway("measures-hour", 3600);
