import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;

/** An OpenSearch node behind Elasticsearch's command line: `elasticsearch -Ekey=value`, elasticsearch.yml, ELASTIC_PASSWORD. */
public final class StandIn extends Node {
  private static final List<Class<? extends Plugin>> PLUGINS =
      List.of(
          Gate.class,
          org.opensearch.analysis.common.CommonAnalysisPlugin.class,
          org.opensearch.index.mapper.MapperExtrasPlugin.class,
          org.opensearch.index.rankeval.RankEvalPlugin.class,
          org.opensearch.index.reindex.ReindexPlugin.class,
          org.opensearch.ingest.common.IngestCommonPlugin.class,
          org.opensearch.join.ParentJoinPlugin.class,
          org.opensearch.painless.PainlessPlugin.class,
          org.opensearch.percolator.PercolatorPlugin.class,
          org.opensearch.plugin.repository.url.URLRepositoryPlugin.class,
          org.opensearch.script.expression.ExpressionPlugin.class,
          org.opensearch.script.mustache.MustachePlugin.class,
          org.opensearch.search.aggregations.matrix.MatrixAggregationPlugin.class);

  private StandIn(Environment environment) {
    super(environment, PLUGINS, false);
  }

  public static void main(String[] args) throws Exception {
    var home = Path.of(System.getProperty("es.path.home"));
    var config = Path.of(System.getProperty("es.path.conf"));
    var settings = new TreeMap<String, String>();
    var yaml = config.resolve("elasticsearch.yml");
    if (Files.exists(yaml)) {
      var read = Settings.builder().loadFromPath(yaml).build();
      // A list becomes one word, which is read as a list again.
      for (var key : read.keySet()) settings.put(key, String.join(",", read.getAsList(key)));
    }
    // As the official container does it: variables with a dot in their names are settings.
    System.getenv().forEach((key, value) -> {
      if (key.matches("[a-z0-9_]+(\\.[a-z0-9_]+)+")) settings.put(key, value);
    });
    for (var arg : args) {
      if (!arg.startsWith("-E") || !arg.contains("=")) throw fail("\"" + arg + "\" is not known; this stand-in knows -Ekey=value");
      settings.put(arg.substring(2, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
    }
    var secured = Boolean.parseBoolean(settings.getOrDefault("xpack.security.enabled", "true"));
    if (secured) Gate.password = password(config);
    settings.keySet().removeIf(key -> key.startsWith("xpack.") || key.startsWith("ingest.geoip."));
    settings.put("path.home", home.toString());
    settings.putIfAbsent("path.data", home.resolve("data").toString());
    settings.putIfAbsent("path.logs", home.resolve("logs").toString());
    settings.putIfAbsent("cluster.name", "docker-cluster");
    settings.putIfAbsent("network.host", "0.0.0.0");

    System.out.println("This is OpenSearch " + org.opensearch.Version.CURRENT + ", which stands in for Elasticsearch.");
    var given = Settings.builder().putProperties(settings, key -> key).build();
    var environment =
        InternalSettingsPreparer.prepareEnvironment(given, Map.of(), config, () -> System.getenv().getOrDefault("HOSTNAME", "node"));
    LogConfigurator.setNodeName(Node.NODE_NAME_SETTING.get(environment.settings()));
    LogConfigurator.configure(environment);
    @SuppressWarnings("resource") // closed by the hook
    var node = new StandIn(environment);
    var ended = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        node.close();
      } catch (Exception error) {
        error.printStackTrace();
      }
      ended.countDown();
    }));
    node.start();
    ended.await();
  }

  /** What `elasticsearch-keystore add bootstrap.password` left; else what the official entrypoint would have put there. */
  private static String password(Path config) throws Exception {
    var keystore = config.resolve("elasticsearch.keystore");
    var file = System.getenv("ELASTIC_PASSWORD_FILE");
    var kept = Files.exists(keystore) ? Files.readString(keystore) : "";
    if (kept.isBlank() && file != null) kept = Files.readString(Path.of(file));
    if (kept.isBlank()) kept = System.getenv().getOrDefault("ELASTIC_PASSWORD", "");
    if (kept.isBlank())
      throw fail("security is on and no password is given: set ELASTIC_PASSWORD_FILE or ELASTIC_PASSWORD, or -Expack.security.enabled=false");
    return kept.strip();
  }

  private static RuntimeException fail(String sentence) {
    System.err.println("elasticsearch: " + sentence);
    System.exit(64);
    return new IllegalStateException(sentence);
  }
}
