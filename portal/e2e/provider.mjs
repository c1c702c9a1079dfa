// An OpenID Connect provider that nobody here wrote, on loopback: the npm package oidc-provider.
//
// It insists on PKCE. Instead of asking people it signs in whom a test names, as sure as the test says.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { Provider } from "oidc-provider";

export const CLIENT = "cekr";
export const SECRET = "a secret for tests, long enough";

/** `who` is signed in whenever the provider would ask: set `accountId` and `acr` before. */
export async function openProvider() {
  const who = { accountId: "ana", acr: "30" };
  const asked = [];
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(url, {
    clients: [{
      client_id: CLIENT, client_secret: SECRET, application_type: "native",
      // A native client's loopback address may have any port.
      redirect_uris: ["http://localhost/rekono/callback"],
      grant_types: ["authorization_code"], response_types: ["code"],
    }],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "1" }] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    claims: { openid: ["sub", "acr", "auth_time"], profile: ["name"] },
    conformIdTokenClaims: false,
    cookies: { keys: ["a key for tests"] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, name: sub }) }),
  });
  provider.on("authorization.accepted", (ctx) => asked.push({ ...ctx.oidc.params }));

  async function sign(request, response) {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === "login") {
      return provider.interactionFinished(request, response, { login: { ...who, remember: false } });
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    const consent = { grantId: await grant.save() };
    return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
  }
  server.on("request", (request, response) => {
    if (!request.url.startsWith("/interaction/")) return provider.callback()(request, response);
    sign(request, response).catch((error) => response.writeHead(500).end(String(error)));
  });
  return {
    url, who,
    /** What was asked of it, and granted. */
    asked,
    env: { CEKR_REKONO_ISSUER: url, CEKR_REKONO_CLIENT_ID: CLIENT, CEKR_REKONO_CLIENT_SECRET: SECRET,
      CEKR_REKONO_LEVEL_CLAIM: "acr", CEKR_REKONO_LEVEL_20: "20", CEKR_REKONO_LEVEL_30: "30" },
    close: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
  };
}
