// Runs a Node handler against the Lambda Runtime API: asks for an event, calls the handler, posts what it gave.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import http from 'node:http';
import path from 'node:path';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const root = process.env.LAMBDA_TASK_ROOT;

function call(method, name, body, headers) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method, path: '/2018-06-01/runtime/' + name, headers }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      answer.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

function described(error) {
  if (error instanceof Error) {
    return { errorType: error.name, errorMessage: error.message, trace: (error.stack || '').split('\n') };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

async function report(name, error) {
  const text = described(error);
  console.error(JSON.stringify(text));
  await call('POST', name, JSON.stringify(text), { 'Content-Type': 'application/json', 'Lambda-Runtime-Function-Error-Type': 'Unhandled' });
}

async function load() {
  const handler = process.env._HANDLER;
  const dot = handler.lastIndexOf('.');
  if (dot < 1) throw Object.assign(new Error(`the handler "${handler}" is not FILE.FUNCTION`), { name: 'Runtime.MalformedHandlerName' });
  const file = path.resolve(root, handler.slice(0, dot));
  const found = ['', '.js', '.mjs', '.cjs'].map((end) => file + end).find((name) => existsSync(name) && path.extname(name));
  if (!found) throw Object.assign(new Error(`Cannot find module '${handler.slice(0, dot)}'`), { name: 'Runtime.ImportModuleError' });
  let module;
  try {
    module = createRequire(pathToFileURL(found))(found);
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM' && !(error instanceof SyntaxError)) throw error;
    module = await import(pathToFileURL(found));
  }
  let fn = module;
  for (const name of handler.slice(dot + 1).split('.')) fn = fn?.[name] ?? fn?.default?.[name];
  if (typeof fn !== 'function') throw Object.assign(new Error(`${handler} is undefined or not exported`), { name: 'Runtime.HandlerNotFound' });
  return fn;
}

function run(fn, event, context) {
  return new Promise((resolve, reject) => {
    const done = (error, value) => (error ? reject(error) : resolve(value));
    context.done = done;
    context.succeed = (value) => done(null, value);
    context.fail = (error) => done(error ?? new Error('handled'));
    const value = fn(event, context, done);
    if (value && typeof value.then === 'function') value.then(resolve, reject);
    else if (fn.length < 3) resolve(value);
  });
}

let fn;
try {
  fn = await load();
} catch (error) {
  await report('init/error', error);
  process.exit(1);
}
for (;;) {
  const next = await call('GET', 'invocation/next');
  const id = next.headers['lambda-runtime-aws-request-id'];
  const deadline = Number(next.headers['lambda-runtime-deadline-ms']);
  process.env._X_AMZN_TRACE_ID = next.headers['lambda-runtime-trace-id'] ?? '';
  const client = next.headers['lambda-runtime-client-context'];
  const context = {
    awsRequestId: id, invokedFunctionArn: next.headers['lambda-runtime-invoked-function-arn'],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME, functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME, callbackWaitsForEmptyEventLoop: true,
    clientContext: client ? JSON.parse(client) : undefined, getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
  };
  try {
    const value = await run(fn, JSON.parse(next.body.toString() || 'null'), context);
    await call('POST', `invocation/${id}/response`, value === undefined ? 'null' : JSON.stringify(value), { 'Content-Type': 'application/json' });
  } catch (error) {
    await report(`invocation/${id}/error`, error);
  }
}
