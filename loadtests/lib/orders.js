// What the checkout sends: message n of a run is a pure function of the seed, the run and n, so that a repeat can be
// sent without remembering anything, and two runs of one seed send the same orders.
//
// Hot kits follow Zipf's law; one message in ten is not a plain order. Every kind but `plain`, `declined`, `repeat` and
// `malformed` is named for the reason that its order must be rejected for.

// The shop's kits, the most popular first: { sku, priceMinor, shelf }, shelf being on_sale, sold_out or inactive. Not
// k6's SharedArray: it would parse a kit anew at each look, and a few hundred kits fit into every sender.
const kits = JSON.parse(open(__ENV.CATALOG));

const SEED = Number(__ENV.SEED || 1);
export const RUN = __ENV.RUN || 'byhand';

// As shops see it: the weight of the kit of rank r is 1 / r^1.05.
const ZIPF_EXPONENT = 1.05;

// Of a thousand messages, how many are of a kind; the rest are plain.
const MIX = {
  repeat: 30, declined: 20, malformed: 10, inactive_sku: 10, out_of_stock: 10,
  unknown_sku: 5, price_changed: 5, total_mismatch: 5,
};
export const KINDS = ['plain', ...Object.keys(MIX)];

// Kits of last season, which somebody still has in a basket.
const UNKNOWN = ['kit-spring-asparagus-2p', 'kit-white-truffle-2p', 'kit-green-gazpacho-4p', 'kit-nettle-soup-3p'];

// A repeat trails what it repeats by so many messages.
const REPEAT_DISTANCE = 7;

const shelf = (name) => kits.filter((kit) => kit.shelf === name);
const onSale = shelf('on_sale');
const soldOut = shelf('sold_out');
const inactive = shelf('inactive');
let weights = 0;
const popularity = onSale.map((_, at) => {
  weights += 1 / (at + 1) ** ZIPF_EXPONENT;
  return weights;
});

// mulberry32: a stream of numbers below 1, of its own for every message.
function stream(n) {
  let state = (Math.imul(SEED, 0x9e3779b1) ^ Math.imul(n + 1, 0x85ebca6b)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const below = (random, n) => Math.floor(random() * n);
const one = (random, items) => items[below(random, items.length)];
const hex8 = (random) => (0x100000000 + random() * 0x100000000).toString(16).slice(1, 9);
const hex = (random, eights) => hex8(random) + (eights > 1 ? hex(random, eights - 1) : '');

// A number as letters: identifiers without digits cannot look like card numbers.
function letters(n) {
  let text = '';
  for (let rest = n; text.length < 6; rest = Math.floor(rest / 26)) {
    text = String.fromCharCode(97 + (rest % 26)) + text;
  }
  return text;
}

function hotKit(random) {
  const point = random() * weights;
  let [low, high] = [0, popularity.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (popularity[middle] < point) low = middle + 1;
    else high = middle;
  }
  return onSale[low];
}

function kindOf(random) {
  let roll = below(random, 1000);
  for (const kind of Object.keys(MIX)) {
    if (roll < MIX[kind]) return kind;
    roll -= MIX[kind];
  }
  return 'plain';
}

const line = (kit, quantity) => ({ sku: kit.sku, quantity, unitPriceMinor: kit.priceMinor });

// One to three hot kits, and what makes the order one of its kind.
function itemsOf(random, kind) {
  const items = {};
  for (let left = 1 + below(random, 3); left > 0; left -= 1) {
    const kit = hotKit(random);
    items[kit.sku] = line(kit, 1 + below(random, 3));
  }
  const extra = {
    inactive_sku: () => one(random, inactive),
    out_of_stock: () => one(random, soldOut),
    unknown_sku: () => ({ sku: one(random, UNKNOWN), priceMinor: 1290 }),
  }[kind];
  const list = [...Object.values(items), ...(extra ? [line(extra(), 1)] : [])];
  if (kind === 'price_changed') list[0].unitPriceMinor += 100;
  return list;
}

function orderOf(random, kind, step, n, now) {
  const items = itemsOf(random, kind);
  const goods = items.reduce((sum, item) => sum + item.quantity * item.unitPriceMinor, 0);
  const adjustments = [{ kind: 'shipping', amountMinor: 490 }];
  if (goods > 3000 && below(random, 5) === 0) adjustments.push({ kind: 'discount', amountMinor: -500 });
  const total = adjustments.reduce((sum, adjustment) => sum + adjustment.amountMinor, goods);
  return {
    orderId: `ord_${RUN}_${step}_${letters(n)}`,
    customerId: `c_${letters(below(random, 20000))}`,
    currency: 'EUR',
    placedAt: now,
    items,
    adjustments,
    totalMinor: kind === 'total_mismatch' ? total + 1 : total,
    payment: {
      customerRef: `cus_${letters(below(random, 20000))}`,
      methodRef: kind === 'declined' ? 'pm_card_chargeDeclined' : 'pm_card_visa',
    },
  };
}

// Bare for seven of ten, else as an SNS topic or an EventBridge bus delivers it.
function wrapped(random, event) {
  const roll = below(random, 20);
  if (roll < 14) return JSON.stringify(event);
  if (roll < 17) {
    const topic = { Type: 'Notification', MessageId: hex(random, 4), Timestamp: event.time, SignatureVersion: '1' };
    return JSON.stringify({ ...topic, TopicArn: 'arn:aws:sns:eu-central-1:000000000000:shop-orders', Message: JSON.stringify(event) });
  }
  const bus = { version: '0', id: hex(random, 4), source: 'shop.checkout', account: '000000000000' };
  return JSON.stringify({ ...bus, 'detail-type': event.type, time: event.time, region: 'eu-central-1', resources: [], detail: event });
}

// Message n of a step (a letter): { kind, body, traceparent, totalMinor }. A repeat is another event of an earlier order.
export function message(step, n) {
  const random = stream(n);
  let kind = kindOf(random);
  let source = [random, kind, n];
  if (kind === 'repeat') {
    const earlier = stream(n - REPEAT_DISTANCE);
    const was = n >= REPEAT_DISTANCE ? kindOf(earlier) : 'repeat';
    if (was === 'repeat' || was === 'malformed') kind = 'plain';
    source = kind === 'plain' ? [random, kind, n] : [earlier, was, n - REPEAT_DISTANCE];
  }
  const now = new Date().toISOString();
  const [draws, orderKind, number] = source;
  const data = orderOf(draws, orderKind, step, number, now);
  // An id of only zeros is invalid: a last digit that is always 1 rules it out.
  const traceparent = `00-${hex(random, 4).slice(1)}1-${hex(random, 2).slice(1)}1-01`;
  const event = {
    specversion: '1.0', id: `evt_${RUN}_${step}_${letters(n)}`, source: 'shop/checkout', type: 'order.placed.v1',
    time: now, datacontenttype: 'application/json', traceparent, data,
  };
  const body = kind === 'malformed' ? JSON.stringify(event).slice(0, 120) : wrapped(random, event);
  return { kind, body, traceparent, totalMinor: data.totalMinor };
}
