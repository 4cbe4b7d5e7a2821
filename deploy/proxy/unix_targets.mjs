// Loaded before the proxy: how it talks to hub and sessions, which listen on unix sockets.
//
// Without an agent the proxy asks every upstream to close the connection after its answer, and Node ends a request with
// one more, empty, write. On a unix socket that write fails with EPIPE when the answer was faster, and the caller gets
// 503 for a request that was carried out (nodejs/node issue 40553). So the upstream is asked to keep the connection,
// and the proxy closes it when it has the whole answer.

import http from "node:http";

import { ConfigurableProxy } from "configurable-http-proxy";

const agent = new http.Agent({ keepAlive: false });
const { proxyOptsForTarget, handleProxyWeb } = ConfigurableProxy.prototype;

ConfigurableProxy.prototype.proxyOptsForTarget = function (target) {
  return { agent, ...proxyOptsForTarget.call(this, target) };
};

ConfigurableProxy.prototype.handleProxyWeb = function (request, response) {
  request.headers.connection = "keep-alive"; // a caller that asks to close asks the proxy only
  return handleProxyWeb.call(this, request, response);
};
