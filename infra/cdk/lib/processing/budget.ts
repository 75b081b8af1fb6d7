// The budget: tells the alarm topic when the month's bill goes where nobody planned it.
//
// It counts the whole account. A filter by our tags would count nothing, and say nothing, until somebody activates them
// as cost allocation tags in the billing console.

import * as budgets from 'aws-cdk-lib/aws-budgets';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { named } from '../names.ts';
import type { Section } from '../settings.ts';

/** Creates the budget of the stage. Runbook: infra/runbooks/budget-exceeded.md. */
export function budget(scope: Construct, settings: Section, topic: sns.ITopic): budgets.CfnBudget {
  const own = settings.section('budget');
  const notify = (notificationType: string, threshold: number): budgets.CfnBudget.NotificationWithSubscribersProperty => ({
    notification: { notificationType, threshold, thresholdType: 'PERCENTAGE', comparisonOperator: 'GREATER_THAN' },
    subscribers: [{ subscriptionType: 'SNS', address: topic.topicArn }],
  });
  return new budgets.CfnBudget(scope, 'Budget', {
    budget: {
      budgetName: named(settings.stage, 'monthly'),
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      budgetLimit: { amount: own.number('monthly_usd'), unit: 'USD' },
    },
    notificationsWithSubscribers: [notify('ACTUAL', own.number('alert_percent')), notify('FORECASTED', 100)],
  });
}
