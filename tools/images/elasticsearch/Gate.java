import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.opensearch.common.network.NetworkService;
import org.opensearch.common.settings.ClusterSettings;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.util.BigArrays;
import org.opensearch.common.util.PageCacheRecycler;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.indices.breaker.CircuitBreakerService;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.http.HttpServerTransport.Dispatcher;
import org.opensearch.rest.BytesRestResponse;
import org.opensearch.rest.RestChannel;
import org.opensearch.rest.RestRequest;
import org.opensearch.telemetry.tracing.Tracer;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.Netty4Plugin;

/**
 * What Elasticsearch's clients look for and OpenSearch has not: basic authentication as the user `elastic`, the product's
 * header, and Elasticsearch's own names for JSON (`application/vnd.elasticsearch+json; compatible-with=8`).
 */
public final class Gate extends Netty4Plugin {
  /** Null: everybody may. */
  static String password;

  @Override
  public Map<String, Supplier<HttpServerTransport>> getHttpTransports(
      Settings settings,
      ThreadPool threads,
      BigArrays arrays,
      PageCacheRecycler recycler,
      CircuitBreakerService breakers,
      NamedXContentRegistry registry,
      NetworkService network,
      Dispatcher dispatcher,
      ClusterSettings clusterSettings,
      Tracer tracer) {
    return super.getHttpTransports(
        settings, threads, arrays, recycler, breakers, registry, network, new Gated(dispatcher), clusterSettings, tracer);
  }

  private record Gated(Dispatcher inner) implements Dispatcher {
    @Override
    public void dispatchRequest(RestRequest request, RestChannel channel, ThreadContext context) {
      context.addResponseHeader("X-elastic-product", "Elasticsearch");
      context.addResponseHeader("X-Stand-In", "OpenSearch");
      if (allowed(request.header("Authorization"))) {
        inner.dispatchRequest(request, channel, context);
        return;
      }
      var body =
          "{\"error\":{\"type\":\"security_exception\",\"reason\":\"missing or wrong credentials\"},\"status\":401}";
      var answer = new BytesRestResponse(RestStatus.UNAUTHORIZED, "application/json", body);
      answer.addHeader("WWW-Authenticate", "Basic realm=\"security\", charset=\"UTF-8\"");
      channel.sendResponse(answer);
    }

    @Override
    public void dispatchBadRequest(RestChannel channel, ThreadContext context, Throwable cause) {
      inner.dispatchBadRequest(channel, context, cause);
    }
  }

  private static boolean allowed(String header) {
    if (password == null) return true;
    var wanted = "Basic " + Base64.getEncoder().encodeToString(("elastic:" + password).getBytes(StandardCharsets.UTF_8));
    return header != null
        && MessageDigest.isEqual(header.getBytes(StandardCharsets.UTF_8), wanted.getBytes(StandardCharsets.UTF_8));
  }
}
