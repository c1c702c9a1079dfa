// Coming in over an OpenID Connect provider: code with PKCE and nonce, and what each level may do.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ANA, accessible, openBrowser, openPerson, openSwitch, picture } from "./support.mjs";
import { openProvider } from "./provider.mjs";

let browser, provider, cekr;
before(async () => {
  provider = await openProvider();
  [browser, cekr] = await Promise.all([openBrowser(), openSwitch([], "none", provider.env)]);
});
after(() => Promise.all([browser?.close(), cekr?.close(), provider?.close()]));

/** Somebody at the provider, with a browser that has never been there. */
async function visit(who, tell, options = {}) {
  Object.assign(provider.who, who);
  const person = await openPerson(browser, cekr.url, options);
  try {
    await tell(person);
    assert.deepEqual(person.complaints, []);
  } finally {
    await person.context.close();
  }
}

async function signIn(page) {
  await page.goto("/sign-in");
  await page.click("a[href^='/rekono']");
  await page.waitForURL("**/cards/*");
}

test("an identity of level 30 is bound to a card, asked with PKCE, nonce and state", () =>
  visit({ accountId: "ana", acr: "30" }, async ({ page }) => {
    await page.goto("/register");
    await page.fill("#mok_id", ANA.mokId);
    await page.fill("#last_six", ANA.lastSix);
    await page.fill("#code", "KRANJ-40000");
    await page.click("main form button");
    await page.waitForSelector("a[href^='/rekono?enrolment=']");
    await accessible(page);
    await picture(page, "oidc-register");
    await page.click("a[href^='/rekono?enrolment=']");
    await page.waitForURL("**/cards/*");
    const [asked] = provider.asked;
    assert.equal(asked.code_challenge_method, "S256");
    for (const name of ["code_challenge", "nonce", "state"]) assert.ok(asked[name].length >= 16, name);
    assert.equal(asked.redirect_uri, `${cekr.url}/rekono/callback`);
    // Level 30, proven now: what opens the card is allowed at once.
    await page.click("#switch-abroad");
    await page.waitForSelector("#switch-abroad[aria-checked=false]");
    await page.click("#switch-abroad");
    await page.waitForSelector("#switch-abroad[aria-checked=true]");
    await page.goto("/devices/card");
    assert.equal(new URL(page.url()).pathname, "/devices/card");
  }));

test("level 20 locks and unticks, and what opens the card asks for more", () =>
  visit({ accountId: "ana", acr: "20" }, async ({ page }) => {
    await signIn(page);
    await page.click("#switch-online");
    await page.waitForSelector("#switch-online[aria-checked=false]");
    await page.click("#switch-online");
    await page.waitForURL((url) => url.pathname === "/prove");
    await page.goto("/cards");
    await page.click("#lock");
    await page.waitForSelector("#card-locked");
    await page.goto(`${new URL(page.url()).pathname}/unlock`);
    await page.waitForURL((url) => url.pathname === "/prove");
    await accessible(page);
    // The same person, proven anew and surer: the provider is asked for a login that is fresh.
    provider.who.acr = "30";
    await page.click("a[href^='/rekono?prove=1']");
    await page.waitForURL((url) => url.pathname.endsWith("/unlock"));
    assert.equal(provider.asked.at(-1).prompt, "login");
    await page.click("#confirm");
    await page.waitForSelector("#lock");
  }));

for (const acr of ["10", "urn:something:else"]) {
  test(`level ${acr} looks and changes nothing`, () =>
    visit({ accountId: "ana", acr }, async ({ page }) => {
      await signIn(page);
      assert.equal(await page.getAttribute("#switch-abroad", "aria-checked"), "true");
      await page.click("#lock");
      await page.waitForURL((url) => url.pathname === "/prove");
      await page.goto("/cards");
      assert.equal(await page.locator("#card-locked").count(), 0);
      await page.click("#switch-abroad");
      await page.waitForURL((url) => url.pathname === "/prove");
      await page.goto("/cards");
      assert.equal(await page.getAttribute("#switch-abroad", "aria-checked"), "true");
    }));
}

test("somebody whom the provider knows and no card does not come in", () =>
  visit({ accountId: "somebody else", acr: "30" }, async ({ page }) => {
    await page.goto("/sign-in");
    await page.click("a[href^='/rekono']");
    await page.waitForSelector("[role=alert]");
    await accessible(page);
    await picture(page, "oidc-unknown");
    await page.goto("/cards");
    assert.equal(new URL(page.url()).pathname, "/sign-in");
  }, { answers: [422] }));

test("an answer is good once, and only in the browser that asked", () =>
  visit({ accountId: "ana", acr: "30" }, async ({ page, context }) => {
    let back;
    page.on("request", (request) => {
      if (request.url().includes("/rekono/callback")) back = request.url();
    });
    await signIn(page);
    await context.clearCookies();
    await page.goto(back);
    await page.waitForSelector("[role=alert]");
    await page.goto("/cards");
    assert.equal(new URL(page.url()).pathname, "/sign-in");
  }, { answers: [422] }));
