// What cfn-lint and checkov find and we keep, each with the reason. A suppression that nothing needs is a finding itself.

/** A kind of finding that is kept. */
export interface Suppressed {
  readonly id: string;
  /** Where: the path in the template for cfn-lint, the resource for checkov. */
  readonly where: RegExp;
  readonly reason: string;
}

export const CFN_LINT_SUPPRESSED: readonly Suppressed[] = [
  {
    id: 'W3005',
    where: /\/DependsOn\/\d+$/,
    reason: 'CDK makes a thing depend on a role and its policy; the role is named twice then, which changes nothing',
  },
];

const OURS = /Function\.(migrateschema|processorders|settlepayments|reconcileorders|refreshcatalog|servecatalog|DatabaseUsers)Function/;
const TRIGGER = /Function\.AWSCDKTriggerCustomResourceProvider/;

export const CHECKOV_SUPPRESSED: readonly Suppressed[] = [
  {
    id: 'CKV_AWS_116',
    where: OURS,
    reason: 'Dead letters belong to the queues; a missed run is made up for by the next, a deploy sees its own failure',
  },
  {
    id: 'CKV_AWS_115',
    where: OURS,
    reason:
      'Queue functions are limited by their event source, without taking concurrency from the account for good; the ' +
      'others are invoked by deploys only. reconcile-orders and serve-catalog have limits of their own',
  },
  {
    id: 'CKV_AWS_117',
    where: /Function\.(migrateschema|DatabaseUsers)Function/,
    reason: 'They speak to the Data API and Secrets Manager only, whose endpoints are outside the VPC',
  },
  { id: 'CKV_AWS_116', where: TRIGGER, reason: "CDK's own: a deploy waits for it and sees its failure" },
  { id: 'CKV_AWS_115', where: TRIGGER, reason: "CDK's own: only deploys invoke it" },
  { id: 'CKV_AWS_117', where: TRIGGER, reason: "CDK's own: it invokes functions by Lambda's API, outside the VPC" },
  {
    id: 'CKV_AWS_18',
    where: /^AWS::S3::Bucket\.Images/,
    reason: 'Only the CDN reads it, and what it reads is public; who changes an image shows in CloudTrail',
  },
  {
    id: 'CKV_AWS_86',
    where: /Distribution\.CdnDistribution/,
    reason: 'A log would hold the address of everybody who looks at a meal; CloudWatch counts requests and errors',
  },
  {
    id: 'CKV_AWS_68',
    where: /Distribution\.CdnDistribution/,
    reason: 'Only GET and HEAD of public pages; the function behind it is bounded by reserved_concurrency',
  },
  {
    id: 'CKV_AWS_174',
    where: /Distribution\.CdnDistribution/,
    reason: "The CDN's own host name has AWS's certificate and its choice of TLS; with a domain of one's own, 1.2 is the least",
  },
  {
    id: 'CKV_AWS_118',
    where: /^AWS::RDS::DBInstance\./,
    reason: 'Aurora Serverless reports capacity, CPU, memory and connections itself; nobody here tunes an instance by its processes',
  },
];
