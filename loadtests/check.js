// Checks the scripts themselves, without any queue: the signature against one of botocore's, and the messages against
// what `lib/orders.js` promises. A test of the repository runs it; exits with 99 when something is wrong.
import { check } from 'k6';
import { KINDS, message } from './lib/orders.js';
import { signed } from './lib/sigv4.js';

export const options = { iterations: 1, vus: 1, thresholds: { checks: ['rate==1'] } };

// botocore 1.44.5, SigV4Auth for `sqs` in eu-central-1, at this time, with AWS's example key.
const SIGNATURE = 'a9c25aec8f8e15bc93e4e8f365f3f2966a2c7b29219ef50a352f06b7885d5f2b';
const REQUEST = {
  host: 'sqs.eu-central-1.amazonaws.com', path: '/', region: 'eu-central-1', now: new Date('2026-11-30T12:34:56Z'),
  body: '{"QueueUrl":"https://sqs.eu-central-1.amazonaws.com/123456789012/orders","MessageBody":"für zwei"}',
  key: { id: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', token: 'token+/=' },
};
const HEADERS = { 'Content-Type': 'application/x-amz-json-1.0', 'X-Amz-Target': 'AmazonSQS.SendMessage' };

const MESSAGES = 5000;
const isOrder = ({ kind }) => kind !== 'repeat' && kind !== 'malformed';

// The event in whatever it is wrapped.
function eventIn(body) {
  const outer = JSON.parse(body);
  return outer.detail || (outer.Message ? JSON.parse(outer.Message) : outer);
}

const contentOf = ({ body }) => ({ ...eventIn(body).data, placedAt: null });
const sum = ({ items, adjustments }) => {
  const parts = [...items.map((item) => item.quantity * item.unitPriceMinor), ...adjustments.map((one) => one.amountMinor)];
  return parts.reduce((total, part) => total + part, 0);
};
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export default function () {
  const authorization = signed(HEADERS, REQUEST).Authorization;
  check(authorization, { 'signs as botocore does': (text) => text.endsWith(`Signature=${SIGNATURE}`) });

  const all = Array.from({ length: MESSAGES }, (_, n) => message('a', n));
  const read = all.map((one) => (one.kind === 'malformed' ? null : contentOf(one)));
  const first = {};
  const distinct = read.filter((order, n) => {
    const isNew = order && all[n].kind !== 'repeat' && !first[order.orderId];
    if (isNew) first[order.orderId] = order;
    return isNew;
  });
  const lines = distinct.flatMap((order) => order.items.map((item) => item.sku));
  const counts = {};
  lines.forEach((sku) => { counts[sku] = (counts[sku] || 0) + 1; });
  const hottest = Math.max(...Object.values(counts));
  const wrong = new Set(distinct.filter((order) => sum(order) !== order.totalMinor).map((order) => order.orderId));
  const meant = all.map((one, n) => one.kind === 'total_mismatch' && read[n].orderId).filter((id) => id);
  check(all, {
    'every kind occurs': () => KINDS.every((kind) => all.some((one) => one.kind === kind)),
    'nine of ten orders are plain': () => all.filter((one) => one.kind === 'plain').length > 0.88 * MESSAGES,
    'the same number is the same order': () => same(contentOf(message('a', 1)), read[1]),
    'another number is another order': () => distinct.length === all.filter(isOrder).length,
    'a repeat is an earlier order again': () => read.every((order, n) => all[n].kind !== 'repeat' || same(order, first[order.orderId])),
    'only totals that are meant to be wrong are wrong': () => wrong.size === meant.length && meant.every((id) => wrong.has(id)),
    'hot kits are ordered more than others': () => hottest > lines.length / 20,
  });
}
