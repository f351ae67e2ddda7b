// What README.md promises of each switch: the places of metadata, what stands in it, the challenge, resources, `iss`, lost clients.

import assert from 'node:assert/strict';
import { decodeJwt } from 'jose';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const NATIVE = {
  application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT], response_types: ['code'],
};

export const switches = ({ idp, lab, post, token, refresh, resource, login, aside }) => {
  const status = async (path) => (await fetch(idp().base + path)).status;
  const json = async (path) => (await fetch(idp().base + path)).json();
  const challenge = async (path = '/resource') => (await fetch(idp().base + path)).headers.get('www-authenticate');
  const authorizationUrl = (more = {}) => `${idp().issuer}/auth?${new URLSearchParams({
    client_id: 'lab-public', response_type: 'code', redirect_uri: 'http://127.0.0.1:1/callback', state: 'x',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', ...more,
  })}`;

  return {
    async 'switches: the server metadata is where metadata_at says, and nowhere else'() {
      const [oauth, oidc] = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];
      for (const [at, statuses] of [['oauth', [200, 404]], ['oidc', [404, 200]], ['oidc-inserted', [404, 200]], ['oauth,oidc', [200, 200]], [[], [404, 404]]]) {
        await lab('config', { metadata_at: at });
        assert.deepEqual([await status(oauth), await status(oidc)], statuses, at);
      }
      await aside(['--issuer-path', '/t', '--metadata-at', 'oidc-inserted'], async () => {
        const statuses = [await status(`${oauth}/t`), await status(`${oidc}/t`), await status(`/t${oidc}`), await status(oidc)];
        assert.deepEqual(statuses, [404, 200, 404, 404]);
        assert.equal((await json(`${oidc}/t`)).issuer, idp().issuer);
        await lab('config', { metadata_at: 'oidc' });
        assert.deepEqual([await status(`${oidc}/t`), await status(`/t${oidc}`)], [404, 200]);
      });
    },

    async 'switches: what stands in the server metadata is changed, and what the server does is not'() {
      const before = await json('/.well-known/oauth-authorization-server');
      await lab('config', { metadata: { code_challenge_methods_supported: ['plain'], device_authorization_endpoint: null } });
      for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']) {
        const { code_challenge_methods_supported: methods, device_authorization_endpoint: device, ...rest } = await json(path);
        assert.deepEqual([methods, device], [['plain'], undefined]);
        assert.deepEqual({ ...rest, code_challenge_methods_supported: ['S256'], device_authorization_endpoint: before.device_authorization_endpoint }, before);
      }
      assert.ok((await login()).access_token);
      await lab('config', { metadata: {} });
      assert.deepEqual(await json('/.well-known/oauth-authorization-server'), before);
      assert.equal((await lab('config', { metadata: [] })).status, 400);
    },

    async 'switches: the resource metadata is where prm_at says, and the challenge names it, itself, or is not there'() {
      const well = '/.well-known/oauth-protected-resource';
      for (const [prm_at, statuses, named] of [
        ['path', [200, 404, 404], `${well}/resource`],
        ['root', [404, 200, 404], well],
        ['elsewhere', [404, 404, 200], '/_metadata/resource'],
        ['path,root', [200, 200, 404], `${well}/resource`],
        ['', [404, 404, 404], undefined],
      ]) {
        await lab('config', { prm_at, challenge: 'metadata' });
        assert.deepEqual([await status(`${well}/resource`), await status(well), await status('/_metadata/resource')], statuses, prm_at);
        assert.equal(/resource_metadata="([^"]*)"/.exec(await challenge())?.[1], named && idp().base + named);
      }
      await lab('config', { challenge: 'bare', prm_at: 'path' });
      assert.equal(await challenge(), 'Bearer scope="mcp:read"');
      await lab('config', { challenge: 'none' });
      assert.equal(await challenge(), null);
      await lab('config', { prm: { scopes_supported: null, authorization_servers: ['https://as.test'] } });
      const changed = await json(`${well}/resource`);
      assert.deepEqual([changed.scopes_supported, changed.authorization_servers], [undefined, ['https://as.test']]);
    },

    async 'switches: where the origin alone is published, tokens are for it'() {
      await lab('config', { prm_at: 'root' });
      assert.equal((await json('/.well-known/oauth-protected-resource')).resource, idp().base);
      const t = await login({ resource: idp().base, scope: 'mcp:read' });
      assert.equal(decodeJwt(t.access_token).aud, idp().base);
      assert.equal((await resource(t.access_token)).status, 200);
      const narrow = await login({ resource: `${idp().base}/resource`, scope: 'mcp:read' });
      assert.equal((await resource(narrow.access_token)).status, 401);
    },

    async 'switches: require_resource wants the published name, byte for byte, in every request'() {
      await lab('config', { require_resource: true });
      const uri = `${idp().base}/resource`;
      for (const form of [{}, { resource: `${uri}/` }, { resource: idp().base }]) {
        const { status: answered, body } = await post('/device/auth', { client_id: 'lab-public', scope: 'mcp:read', ...form });
        assert.deepEqual([answered, body.error], [400, 'invalid_target'], JSON.stringify(form));
        const back = new URL((await lab('authorize', { url: authorizationUrl({ scope: 'mcp:read', ...form }) })).location);
        assert.equal(back.searchParams.get('error'), 'invalid_target', JSON.stringify(form));
      }
      const approved = async (more) => {
        const { body: d } = await post('/device/auth', { client_id: 'lab-public', scope: 'mcp:read', resource: uri });
        await lab('approve', { user_code: d.user_code });
        return (await token({ grant_type: DEVICE_GRANT, device_code: d.device_code, ...more })).body;
      };
      assert.equal((await approved({})).error, 'invalid_target');
      const unnamed = await approved({ resource: uri });
      assert.equal(decodeJwt(unnamed.access_token).aud, uri);
      assert.equal((await refresh(unnamed.refresh_token)).body.error, 'invalid_target');
      const named = await approved({ resource: uri });
      assert.equal(decodeJwt((await refresh(named.refresh_token, { resource: uri })).body.access_token).aud, uri);
    },

    async 'switches: without resource indicators the parameter is ignored and tokens are opaque'() {
      await aside(['--disable', 'resource-indicators'], async () => {
        assert.equal(await challenge(), `Bearer scope="basic", resource_metadata="${idp().base}/.well-known/oauth-protected-resource/resource"`);
        const t = await login({ resource: 'https://evil.com/', scope: 'offline_access' });
        assert.equal(t.scope, 'basic offline_access');
        assert.equal(t.access_token.split('.').length, 1);
        assert.equal((await resource(t.access_token)).status, 200);
      });
    },

    async 'switches: response_iss names another server, or none, in answers and in refusals'() {
      for (const [response_iss, iss] of [['own', idp().issuer], ['none', null], ['https://evil.example', 'https://evil.example']]) {
        await lab('config', { response_iss });
        for (const deny of [false, true]) {
          const back = new URL((await lab('authorize', { url: authorizationUrl(), deny })).location);
          assert.deepEqual([back.searchParams.get('iss'), back.searchParams.get('state')], [iss, 'x']);
          assert.ok(back.searchParams.has(deny ? 'error' : 'code'));
        }
      }
    },

    async 'switches: a registration is forgotten, and its tokens are nobody\'s'() {
      const register = async () => (await fetch(`${idp().issuer}/reg`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(NATIVE) })).json();
      const [{ client_id }, other] = [await register(), await register()];
      const { body: d } = await post('/device/auth', { client_id });
      await lab('approve', { user_code: d.user_code });
      const poll = () => post('/token', { client_id, grant_type: DEVICE_GRANT, device_code: d.device_code });
      const { body: t } = await poll();
      assert.equal((await lab('forget-clients', { client_id })).forgotten, 1);
      const again = await post('/token', { client_id, grant_type: 'refresh_token', refresh_token: t.refresh_token });
      assert.deepEqual([again.status, again.body.error], [401, 'invalid_client']);
      assert.equal((await post('/device/auth', { client_id: other.client_id })).status, 200);
      assert.equal((await lab('forget-clients', {})).forgotten, 1);
      assert.equal((await post('/device/auth', { client_id: other.client_id })).body.error, 'invalid_client');
      assert.ok((await login()).access_token, 'those that were there from the start stay');
    },
  };
};
