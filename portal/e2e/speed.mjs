// How long the website's pages take, and what they cost authorizations.
//
//   node speed.mjs                 100,000 cards, pages one after another, then both at once
//   CARDS=1000 ROUNDS=5 node speed.mjs
//
// Needs a built `cekr` (CEKR) and chromium, which registers a holder. Prints one JSON object a line.
// A page is to take at most 20 ms (p95), and 100 requests a second are to make the p99 of
// authorizations at most 1.5 times as long: medians of interleaved rounds, and nothing worth on a
// machine that has other work.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ANA, cekr, openBrowser, openPerson, openSwitch, register } from "./support.mjs";

const run = promisify(execFile);
const cards = Number(process.env.CARDS ?? 100_000);
const rounds = Number(process.env.ROUNDS ?? 5);
const seconds = Number(process.env.SECONDS ?? 4);
const samples = 300;

const folder = await mkdtemp(join(tmpdir(), "cekr-speed-"));
const file = join(folder, "cards.toml");
await writeFile(file, [...cardLines(cards)].join("\n"));
const begun = performance.now();
const site = await openSwitch(["--cards", file, "--data", join(folder, "data")], "sync");
say({ step: "start", cards, ms: Math.round(performance.now() - begun) });
const browser = await openBrowser();
try {
  const { context, page } = await openPerson(browser, site.url);
  await register(page, ANA);
  const card = new URL(page.url()).pathname;
  const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  await context.close();
  for (let buys = 0; buys < 12; buys += 1) {
    await site.purchase({ card: "ana", amount: "1.00", expect: "00" });
  }

  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  const paths = ["/", "/fee?amount=50", card, `${card}/history`, "/notices", "/devices", "/cards"];
  for (const path of paths) {
    const times = [];
    for (let sample = 0; sample < samples; sample += 1) times.push(await get(agent, site.url + path, cookie));
    say({ step: "page", path: path.replace(/cards\/[^/]+/, "cards/{id}"), p50_ms: at(times, 0.5), p95_ms: at(times, 0.95), p99_ms: at(times, 0.99) });
  }

  const alone = [];
  const beside = [];
  for (let round = 0; round < rounds; round += 1) {
    alone.push(await authorizations());
    let isOver = false;
    const pages = visits(agent, site.url + card, cookie, () => isOver);
    beside.push(await authorizations());
    isOver = true;
    await pages;
  }
  const [without, with_] = [median(alone), median(beside)];
  say({ step: "authorizations", p99_us_alone: without, p99_us_beside_100_pages_s: with_,
    times: Number((with_ / without).toFixed(2)), rounds: { alone, beside } });
} finally {
  await browser.close();
  await site.close();
  await rm(folder, { recursive: true });
}

/** The p99 of a short open-loop load, in microseconds. */
async function authorizations() {
  const args = ["load", "--to", site.iso8583, "--rate", "2000", "--connections", "4",
    "--duration", `${seconds}s`, "--cards", file, "--json"];
  const { stdout } = await run(cekr, args, { maxBuffer: 64 << 20 });
  const { latency_us } = JSON.parse(stdout);
  return Math.round(latency_us.p99);
}

/** A hundred requests a second until `isOver`. */
async function visits(agent, url, cookie, isOver) {
  const open = [];
  for (let due = performance.now(); !isOver(); due += 10) {
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    open.push(get(agent, url, cookie));
  }
  await Promise.all(open);
}

function get(agent, url, cookie) {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    http.get(url, { agent, headers: { cookie } }, (response) => {
      if (response.statusCode >= 400) reject(new Error(`${url}: ${response.statusCode}`));
      response.resume().on("end", () => resolve(performance.now() - from));
    }).on("error", reject);
  });
}

function at(times, share) {
  const sorted = times.toSorted((a, b) => a - b);
  return Number(sorted[Math.ceil(sorted.length * share) - 1].toFixed(2));
}

function median(values) {
  return at(values, 0.5);
}

function say(line) {
  console.log(JSON.stringify(line));
}

function* cardLines(count) {
  yield '[[card]]\nname = "ana"\npan = "4761730000000011"\nexpiry = "2030-12"\nmok_id = "123456782"\nbalance = "1000.00"\nchannels = ["online", "abroad", "cashpoint"]\npin = "1234"\n';
  for (let number = 1; number < count; number += 1) {
    const body = `476173${String(100_000_000 + number)}`;
    yield `[[card]]\nname = "c${number}"\npan = "${body}${luhn(body)}"\nexpiry = "2030-12"\nmok_id = "${200_000_000 + number}"\nbalance = "4000.00"\nchannels = ["online", "abroad", "cashpoint"]\nlimits = "off"\n`;
  }
}

function luhn(body) {
  const sum = [...body].reverse().reduce((sum, digit, place) => {
    const value = Number(digit) * (place % 2 === 0 ? 2 : 1);
    return sum + (value > 9 ? value - 9 : value);
  }, 0);
  return (10 - (sum % 10)) % 10;
}
