// load.js -- for k6: calls to adder, looks at totalizer's total, and how long one takes to reach the
// other.
//
//   k6 run -e ADDER=127.0.0.1:50051 -e TOTALIZER=http://127.0.0.1:8080 -e RATE=100 -e SECONDS=60 \
//       -e SUMMARY=summary.json load.js
//
// SumNumbers and GET /v1/results at RATE a second each, arriving at that rate whatever the answers
// take. Beside them one caller at a time adds a mark: a sum so large that the total says how many of
// them are in it. From the start of that call until a total with the mark in it was served is
// "produce to total": it leaves out nothing that a user waits for, and takes one clock only. Looking
// every POLL seconds adds as much at most.
//
// Every threshold is here; k6 exits with 99 when one is missed. The total at the end is for the
// caller to compare with acknowledged and acknowledged_sum; it must stay below 2^53, JavaScript's
// integers.

import { check, fail, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';
import grpc from 'k6/net/grpc';

const RATE = Number(__ENV.RATE);
const SECONDS = Number(__ENV.SECONDS);
const METHOD = 'sum.SumNumbersService/SumNumbers';
const MARK = 2 ** 40; // above the sum of all other calls
const PACE = 0.2; // s from one mark to the next, at least
const POLL = 0.01;
const PATIENCE = 20000; // ms for a mark

const acknowledged = new Counter('acknowledged');
const acknowledgedSum = new Counter('acknowledged_sum');
const produceToTotal = new Trend('produce_to_total', true);

// Under way at a time; a request that finds none of them free is counted as dropped. totalizer takes
// 256 connections.
const CALLERS = RATE;
const LOOKERS = Math.min(RATE, 240);
const CONNECTING = 10; // s before the load, for callers to connect

const arriving = {
  executor: 'constant-arrival-rate',
  rate: RATE,
  timeUnit: '1s',
  duration: `${SECONDS}s`,
  startTime: `${CONNECTING}s`,
};

export const options = {
  scenarios: {
    // k6 gives the same VUs to the scenarios that come after.
    connections: {
      executor: 'per-vu-iterations',
      vus: CALLERS + LOOKERS + 1,
      maxDuration: `${CONNECTING}s`,
      gracefulStop: '0s',
      exec: 'connect',
    },
    calls: { ...arriving, preAllocatedVUs: CALLERS, exec: 'call' },
    results: { ...arriving, preAllocatedVUs: LOOKERS, exec: 'look' },
    marks: {
      executor: 'constant-vus',
      vus: 1,
      duration: `${SECONDS}s`,
      startTime: `${CONNECTING}s`,
      exec: 'mark',
    },
  },
  thresholds: {
    'grpc_req_duration{scenario:calls}': ['p(95)<200'],
    'http_req_duration{scenario:results}': ['p(95)<100'],
    produce_to_total: ['p(95)<2000'],
    checks: ['rate==1'],
    dropped_iterations: ['count==0'],
    // So that the summary counts them apart.
    'iterations{scenario:calls}': ['count>0'],
    'iterations{scenario:results}': ['count>0'],
  },
  summaryTrendStats: ['count', 'med', 'p(95)', 'p(99)', 'max'],
};

const adder = new grpc.Client();
adder.load(['../../protocol'], 'sum.proto');
let connected = false;
let marks = 0;
let seen = 0;

export function connect() {
  if (!connected) {
    adder.connect(__ENV.ADDER, { plaintext: true });
    connected = true;
  }
}

function add(x, y) {
  connect();
  const reply = adder.invoke(METHOD, { x: String(x), y: String(y) });
  const good = check(reply, {
    'the sum is right': (r) => r.status === grpc.StatusOK && Number(r.message.sum) === x + y,
  });
  if (good) {
    acknowledged.add(1);
    acknowledgedSum.add(x + y);
  }
  return good;
}

function total() {
  const reply = http.get(`${__ENV.TOTALIZER}/v1/results`);
  const { result, count } = reply.status === 200 ? reply.json() : {};
  check(reply, {
    'the total is known': () => Number.isSafeInteger(result),
    'it never goes back': () => count >= seen,
  });
  seen = count;
  return result;
}

export function setup() {
  return { marks: Math.floor(total() / MARK) };
}

export function call() {
  add(exec.scenario.iterationInTest % 1000, 1);
}

export function look() {
  total();
}

export function mark(before) {
  const began = Date.now();
  marks += 1;
  if (!add(MARK, 0)) {
    fail('a mark whose outcome is not known');
  }
  while (Math.floor(total() / MARK) < before.marks + marks) {
    if (!check(began, { 'the mark arrives': (b) => Date.now() - b < PATIENCE })) {
      return;
    }
    sleep(POLL);
  }
  produceToTotal.add(Date.now() - began);
  sleep(Math.max(0, PACE - (Date.now() - began) / 1000));
}

export function handleSummary(data) {
  return { [__ENV.SUMMARY]: JSON.stringify(data) };
}
