// What every story needs: a switch of its own, a browser with a software authenticator, and eyes.
import { after, before } from "node:test";
import { execFile, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { once } from "node:events";
import { promisify } from "node:util";
import { randomUUID } from "node:crypto";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const cekr = process.env.CEKR ?? new URL("../../target/debug/cekr", import.meta.url).pathname;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const run = promisify(execFile);
/** The operator's, of these switches alone. */
const token = randomUUID();
/** Each page's own session: a second one would take the authenticator with it when it ends. */
const sessions = new WeakMap();

/** A switch in memory with the built-in cards, its website, and terminals that ask it. */
export async function openSwitch(more = [], durability = "none", env = {}) {
  const child = spawn(cekr, [
    "serve", "--sandbox", "--durability", durability, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
    ...more,
  ], { stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, CEKR_OPERATOR_TOKEN: token, ...env } });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const ready = JSON.parse(line);
  return {
    url: ready.http,
    iso8583: ready.iso8583,
    /** A purchase in a shop; the switch must answer with the code `expect`. */
    async purchase({ card, amount, country = "SI", expect }) {
      const args = ["purchase", "--card", card, "--amount", amount, "--country", country,
        "--to", ready.iso8583, "--expect", expect, "--pin", "1234", "--json"];
      await run(cekr, ["pos", ...args]);
    },
    /** Posts a clearing file, as the operator. */
    async clear(file) {
      await run(cekr, ["clear", file, "--api", ready.http, "--token", token]);
    },
    async withdraw({ card, amount, expect }) {
      await run(cekr, ["atm", "withdraw", "--card", card, "--amount", amount, "--to", ready.iso8583,
        "--expect", expect, "--pin", "1234", "--json"]);
    },
    async close() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}

export function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/**
 * A person with a browser and a passkey device, who reads `locale`. The browser's console tells of
 * answers from 400; those of `answers` belong to the story.
 */
export async function openPerson(browser, url, options = {}) {
  const { locale = "sl-SI", width = 390, answers = [], serve: _, env: __, ...more } = options;
  const context = await browser.newContext({
    baseURL: url, locale, viewport: { width, height: 844 }, bypassCSP: false, ...more,
  });
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  sessions.set(page, devtools);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal",
      hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true },
  });
  const complaints = [];
  page.on("console", (message) => {
    const [, answer] = message.text().match(/responded with a status of (\d+)/) ?? [];
    if (message.type() === "error" && !answers.includes(Number(answer))) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { context, page, complaints };
}

/** The stories of one file: one browser for all of them, a switch and a person for each. */
export function stories() {
  let browser;
  before(async () => { browser = await openBrowser(); });
  after(() => browser.close());
  return async function story(options, tell) {
    const cekr = await openSwitch(options.serve, "none", options.env);
    try {
      const person = await openPerson(browser, cekr.url, options);
      try {
        await tell({ cekr, browser, ...person });
        assert.deepEqual(person.complaints, []);
      } finally {
        await person.context.close();
      }
    } finally {
      await cekr.close();
    }
  };
}

/** The page is in the reader's language, no wider than the window, and open to everybody. */
export async function good(page, name) {
  const language = await page.evaluate(() => navigator.language.slice(0, 2));
  assert.equal(await page.getAttribute("html", "lang"), language);
  await fits(page);
  await accessible(page);
  await picture(page, `${language}-${name}`);
}

/** Goes on with the Tab key until `selector` has the focus. */
export async function reach(page, selector) {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press("Tab");
    const isThere = await page.evaluate((selector) => document.activeElement?.matches(selector), selector);
    if (isThere) return;
  }
  assert.fail(`${selector} cannot be reached by keyboard on ${page.url()}`);
}

/** Registers a built-in card with the sandbox's code and ends on the card's page. */
export async function register(page, { mokId, lastSix }) {
  await page.goto("/register");
  await page.fill("#mok_id", mokId);
  await page.fill("#last_six", lastSix);
  await page.fill("#code", "KRANJ-40000");
  await page.click("main form button");
  await page.waitForSelector("form[data-passkey=create]");
  await page.click("form[data-passkey=create] button");
  await page.waitForURL("**/cards/*");
}

/** No fault that axe knows. It runs in a world of its own, so that the policy stays in force. */
export async function accessible(page) {
  const devtools = sessions.get(page);
  const { frameTree } = await devtools.send("Page.getFrameTree");
  const world = await devtools.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  const { readFile } = await import("node:fs/promises");
  const contextId = world.executionContextId;
  await devtools.send("Runtime.evaluate", { contextId, expression: await readFile(axe, "utf8") });
  const { result, exceptionDetails } = await devtools.send("Runtime.evaluate", {
    contextId, awaitPromise: true, returnByValue: true,
    expression: `axe.run(document, { resultTypes: ["violations"] }).then((found) => found.violations.map(
      (fault) => fault.id + ": " + fault.nodes.map((node) => node.html).join(" | ")))`,
  });
  assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
  assert.deepEqual(result.value, [], page.url());
}

/** Nothing is wider than the window. */
export async function fits(page) {
  const [content, window] = await page.evaluate(() =>
    [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= window, `${page.url()} is ${content} wide in a window of ${window}`);
}

/** A picture for people, where `SHOTS` names a folder. */
export async function picture(page, name) {
  if (!process.env.SHOTS) return;
  const width = page.viewportSize().width;
  await page.screenshot({ path: `${process.env.SHOTS}/${name}-${width}.png`, fullPage: true });
}

export const ANA = { mokId: "123456782", lastSix: "000011" };
export const BOR = { mokId: "534640974", lastSix: "000029" };
