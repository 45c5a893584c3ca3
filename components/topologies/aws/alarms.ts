/** What an operator is woken for: alarms that tell one topic, and a dashboard that shows them. */
import { all, type CustomResourceOptions, type Input, jsonStringify, type Output } from "@pulumi/pulumi";
import { Dashboard } from "@pulumi/aws/cloudwatch/dashboard.js";
import { MetricAlarm } from "@pulumi/aws/cloudwatch/metricAlarm.js";
import { Topic } from "@pulumi/aws/sns/topic.js";
import { TopicSubscription } from "@pulumi/aws/sns/topicSubscription.js";

import type { Dict } from "../../core/contracts.ts";

export interface Watched {
  /** What is wrong when it rings, for the person who is woken. */
  readonly says: string;
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: Dict<Input<string>>;
  readonly statistic: "Average" | "Maximum" | "Minimum" | "Sum";
  /** Rings when the metric is so for `minutes`. */
  readonly when: "above" | "below";
  readonly threshold: number;
  readonly minutes: number;
  /** Silence is an alarm, too. Default: it is not. */
  readonly silence?: "rings";
}

export class Alarms {
  readonly topic: Output<string>;
  readonly #made: MetricAlarm[] = [];

  /** `email`: who is told; he has to confirm it once. Unset: whoever subscribes to the topic. */
  constructor(name: string, email: string | undefined, options: CustomResourceOptions) {
    const topic = new Topic(`${name}-alarms`, {}, options);
    this.topic = topic.arn;
    if (email !== undefined)
      new TopicSubscription(`${name}-alarms`, { topic: topic.arn, protocol: "email", endpoint: email }, options);
  }

  watch(logical: string, watched: Watched, options: CustomResourceOptions): void {
    const { says, namespace, metric, dimensions, statistic, when, threshold, minutes, silence } = watched;
    this.#made.push(
      new MetricAlarm(
        logical,
        {
          alarmDescription: says,
          ...{ namespace, metricName: metric, dimensions, statistic, threshold },
          comparisonOperator: when === "above" ? "GreaterThanThreshold" : "LessThanThreshold",
          period: 60,
          evaluationPeriods: minutes,
          treatMissingData: silence === undefined ? "notBreaching" : "breaching",
          alarmActions: [this.topic],
          okActions: [this.topic],
        },
        options,
      ),
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
