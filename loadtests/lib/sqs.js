// SQS as a shop's checkout calls it: AWS JSON 1.0 over HTTP. Signed where a key is given, as every real queue demands;
// unsigned for the local stack, which knows no users.
import http from 'k6/http';
import { signed } from './sigv4.js';

const QUEUE_URL = __ENV.QUEUE_URL || '';
// Where requests go: https://sqs.REGION.amazonaws.com, or the local stack's endpoint.
const ENDPOINT = __ENV.SQS_URL || (QUEUE_URL.match(/^https?:\/\/[^/]+/) || [''])[0];
const HOST = ENDPOINT.replace(/^https?:\/\//, '');
const REGION = __ENV.AWS_REGION || (HOST.match(/^sqs\.([a-z0-9-]+)\./) || [])[1] || 'us-east-1';
const KEY = { id: __ENV.AWS_ACCESS_KEY_ID, secret: __ENV.AWS_SECRET_ACCESS_KEY, token: __ENV.AWS_SESSION_TOKEN };

// Longer than any answer of a healthy queue; what takes longer counts as failed.
const TIMEOUT = '5s';

function call(action, input, responseType) {
  const body = JSON.stringify({ QueueUrl: QUEUE_URL, ...input });
  const headers = { 'Content-Type': 'application/x-amz-json-1.0', 'X-Amz-Target': `AmazonSQS.${action}` };
  const now = new Date();
  const request = { host: HOST, path: '/', body, region: REGION, key: KEY, now };
  const params = { headers: KEY.id ? signed(headers, request) : headers, tags: { name: action }, timeout: TIMEOUT };
  return http.post(`${ENDPOINT}/`, body, { ...params, responseType });
}

// Puts one message on the queue, and says whether the queue has it.
export function send(body, traceparent) {
  const attributes = { traceparent: { DataType: 'String', StringValue: traceparent } };
  return call('SendMessage', { MessageBody: body, MessageAttributes: attributes }, 'none').status === 200;
}

// Why this queue cannot be sent to, as a sentence; nothing when it can.
export function trouble() {
  if (!QUEUE_URL) return 'say which queue: -e QUEUE_URL=…';
  const answer = call('GetQueueAttributes', { AttributeNames: ['QueueArn'] }, 'text');
  if (answer.status === 200) return null;
  const said = answer.error || String(answer.body).slice(0, 200);
  return `the queue ${QUEUE_URL} does not answer (${answer.status}): ${said}; is its stack running?`;
}
