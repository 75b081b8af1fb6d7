// Runs aws-lambda-ric without its native half, which needs cmake, autotools and headers to be built.
//
// Preloaded by `node --require`: where aws-lambda-ric asks for its native client it gets this one, which speaks the same
// three calls of the Runtime API over one connection of Node's own HTTP client. Everything else is aws-lambda-ric's.

'use strict';

const http = require('node:http');
const Module = require('node:module');

const NATIVE = './rapid-client.node';
const [hostname, port] = (process.env.AWS_LAMBDA_RUNTIME_API ?? '').split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** One call of the Runtime API; fails unless it is answered with success. */
function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const options = { hostname, port, agent, method, headers, path: `/2018-06-01/runtime/invocation/${path}` };
    const request = http.request(options, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk)).on('error', reject);
      answer.on('end', () => {
        if (answer.statusCode >= 300) reject(new Error(`the Runtime API answered ${answer.statusCode} to ${path}`));
        else resolve({ bodyJson: Buffer.concat(chunks).toString('utf8'), headers: answer.headers });
      });
    });
    request.on('error', reject).end(body);
  });
}

/** The answer that is on its way: the next event is asked for only after it has arrived. */
let posted = Promise.resolve();

function post(path, body, headers) {
  posted = call('POST', path, body, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...headers });
}

exports.done = (id, body) => post(`${id}/response`, body);
exports.error = (id, body, xray) => post(`${id}/error`, body, { 'Lambda-Runtime-Function-XRay-Error-Cause': xray });
exports.next = async () => {
  await posted;
  return call('GET', 'next');
};

const resolveFilename = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) =>
  request === NATIVE ? __filename : resolveFilename.call(Module, request, ...rest);
