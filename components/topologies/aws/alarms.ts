/** What an operator is woken for: alarms that tell one topic, and a dashboard that shows them. */
import { all, type CustomResourceOptions, type Input, jsonStringify, type Output } from "@pulumi/pulumi";
import { Dashboard } from "@pulumi/aws/cloudwatch/dashboard.js";
import { LogMetricFilter } from "@pulumi/aws/cloudwatch/logMetricFilter.js";
import { MetricAlarm } from "@pulumi/aws/cloudwatch/metricAlarm.js";
import { Topic } from "@pulumi/aws/sns/topic.js";
import { TopicSubscription } from "@pulumi/aws/sns/topicSubscription.js";

import type { Dict, LogAlarm } from "../../core/contracts.ts";
import { lookBack } from "./look-back.ts";

/** Of metrics that are made from lines of our own: see `report` in agent.py, too. */
const namespace = "platform-topologies";

export interface Watched {
  /** What is wrong when it rings, for the person who is woken. */
  readonly says: string;
  /** What to type first, or where to look. */
  readonly look: string;
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions?: Dict<Input<string>>;
  readonly statistic: "Average" | "Maximum" | "Minimum" | "Sum";
  readonly when: "above" | "below";
  readonly threshold: number;
  /** Rings when the metric is so for so long. */
  readonly minutes: number;
  /** Minutes that one value stands for. Default: 1. */
  readonly every?: number;
  /** Silence is an alarm, too; or the last value still holds. Default: all is well. */
  readonly silence?: "rings" | "holds";
}

const missing = { rings: "breaching", holds: "ignore" } as const;

export class Alarms {
  readonly topic: Output<string>;
  readonly #made: MetricAlarm[] = [];

  /**
   * `email`: who is told; he has to confirm it once. Unset: whoever subscribes to the topic. `key`: the topic is encrypted
   * with it.
   */
  constructor(
    name: string,
    { email, key }: { readonly email: string | undefined; readonly key: Input<string> | undefined },
    options: CustomResourceOptions,
  ) {
    const topic = new Topic(`${name}-alarms`, key === undefined ? {} : { kmsMasterKeyId: key }, options);
    this.topic = topic.arn;
    if (email !== undefined)
      new TopicSubscription(`${name}-alarms`, { topic: topic.arn, protocol: "email", endpoint: email }, options);
  }

  watch(logical: string, watched: Watched, options: CustomResourceOptions): void {
    const { says, look, metric, dimensions, statistic, when, threshold, minutes, every = 1, silence } = watched;
    this.#made.push(
      new MetricAlarm(
        logical,
        {
          alarmDescription: `${says}. Look: ${look}`,
          ...{ namespace: watched.namespace, metricName: metric, statistic, threshold },
          ...(dimensions === undefined ? {} : { dimensions }),
          comparisonOperator: when === "above" ? "GreaterThanThreshold" : "LessThanThreshold",
          period: every * 60,
          evaluationPeriods: minutes / every,
          treatMissingData: silence === undefined ? "notBreaching" : missing[silence],
          alarmActions: [this.topic],
          okActions: [this.topic],
        },
        options,
      ),
    );
  }

  /** How full the fullest disk is of the machines that write to a log. */
  disk(
    logical: string,
    { says, look, logGroup }: Pick<Watched, "says" | "look"> & { readonly logGroup: Input<string> },
    options: CustomResourceOptions,
  ): void {
    this.watch(
      logical,
      {
        ...{ says, look, namespace, metric: "DiskUsed", dimensions: { LogGroup: logGroup } },
        ...{ statistic: "Maximum", when: "above", threshold: 80, minutes: 15, every: 5, silence: "rings" },
      },
      options,
    );
  }

  /** A line of a log that should come, or should not. `name`: of its metric, once in the account. */
  line(
    logical: string,
    { name, logGroup, look }: { readonly name: string; readonly logGroup: Input<string>; readonly look: string },
    { line, says, everyHours }: LogAlarm,
    options: CustomResourceOptions,
  ): void {
    const hours = everyHours === undefined ? 0 : lookBack(everyHours);
    if (hours === undefined) return; // the check warns of it
    new LogMetricFilter(
      logical,
      {
        logGroupName: logGroup,
        pattern: JSON.stringify(line),
        metricTransformation: { namespace, name, value: "1" },
      },
      options,
    );
    const counted = { says, look, namespace, metric: name, statistic: "Sum" } as const;
    this.watch(
      logical,
      hours === 0
        ? { ...counted, when: "above", threshold: 0, minutes: 5, every: 5 }
        : { ...counted, when: "below", threshold: 1, minutes: hours * 60, every: 60, silence: "rings" },
      options,
    );
  }

  /** All alarms of the stack on one page. */
  dashboard(logical: string, name: string, region: string, options: CustomResourceOptions): void {
    const body = all(this.#made.map(({ arn }) => arn)).apply((arns) => ({
      widgets: [
        { type: "alarm", x: 0, y: 0, width: 24, height: 6, properties: { title: name, alarms: [...arns].sort() } },
        ...[...arns].sort().map((arn, index) => ({
          ...{ type: "metric", x: (index % 3) * 8, y: 6 + Math.floor(index / 3) * 6, width: 8, height: 6 },
          properties: { region, title: arn.split(":").at(-1) ?? "", annotations: { alarms: [arn] } },
        })),
      ],
    }));
    new Dashboard(logical, { dashboardName: name, dashboardBody: jsonStringify(body) }, options);
  }
}
