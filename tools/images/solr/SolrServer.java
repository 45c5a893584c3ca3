import java.util.EnumSet;
import javax.servlet.DispatcherType;
import org.apache.solr.servlet.CoreContainerProvider;
import org.apache.solr.servlet.SolrDispatchFilter;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.servlet.DefaultServlet;
import org.eclipse.jetty.servlet.ServletContextHandler;

/** Solr in Jetty at /solr, wired as the distribution's web.xml does it, without the admin pages. */
public final class SolrServer {
  public static void main(String[] args) throws Exception {
    var server = new Server();
    server.setStopAtShutdown(true);
    server.setStopTimeout(15_000);
    var http = new HttpConfiguration();
    http.setSendServerVersion(false);
    // Solr's nodes speak HTTP/2 in plain text to each other, and to themselves.
    var connector =
        new ServerConnector(server, new HttpConnectionFactory(http), new HTTP2CServerConnectionFactory(http));
    connector.setHost(System.getProperty("solr.jetty.host", "127.0.0.1"));
    connector.setPort(Integer.getInteger("jetty.port", 8983));
    connector.setIdleTimeout(120_000);
    server.addConnector(connector);

    var solr = new ServletContextHandler(server, "/solr", ServletContextHandler.NO_SESSIONS);
    solr.addEventListener(new CoreContainerProvider());
    solr.addFilter(SolrDispatchFilter.class, "/*", EnumSet.of(DispatcherType.REQUEST));
    solr.addServlet(DefaultServlet.class, "/");

    server.start();
    server.join();
  }
}
