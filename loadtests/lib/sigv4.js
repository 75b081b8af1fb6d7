// AWS Signature Version 4 for one POST to SQS, on k6's own crypto: no remote module, nothing to vendor.
//
// Promises the headers that botocore would send for the same time, body and key; `check.js` compares with one of its.
import crypto from 'k6/crypto';

const derived = {};

// The signing key changes once a day: four HMACs a day and VU instead of four a request.
function signingKey(secret, day, region) {
  const name = `${day} ${region} ${secret}`;
  if (!derived[name]) {
    const steps = [day, region, 'sqs', 'aws4_request'];
    derived[name] = steps.reduce((key, step) => crypto.hmac('sha256', key, step, 'binary'), `AWS4${secret}`);
  }
  return derived[name];
}

// The headers with `Authorization` and what it covers. `key` is { id, secret, token }, `now` a Date.
export function signed(headers, { host, path, body, region, key, now }) {
  const stamp = now.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = stamp.slice(0, 8);
  const all = { ...headers, Host: host, 'X-Amz-Date': stamp };
  if (key.token) all['X-Amz-Security-Token'] = key.token;
  const names = Object.keys(all).sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  const canonical = names.map((name) => `${name.toLowerCase()}:${String(all[name]).trim()}\n`).join('');
  const covered = names.map((name) => name.toLowerCase()).join(';');
  const request = ['POST', path, '', canonical, covered, crypto.sha256(body, 'hex')].join('\n');
  const scope = `${day}/${region}/sqs/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', stamp, scope, crypto.sha256(request, 'hex')].join('\n');
  const signature = crypto.hmac('sha256', signingKey(key.secret, day, region), text, 'hex');
  const credential = `Credential=${key.id}/${scope}, SignedHeaders=${covered}, Signature=${signature}`;
  return { ...all, Authorization: `AWS4-HMAC-SHA256 ${credential}` };
}
