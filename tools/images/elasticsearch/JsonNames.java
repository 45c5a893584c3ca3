import java.util.List;
import java.util.Map;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.xcontent.MediaType;
import org.opensearch.core.xcontent.spi.MediaTypeProvider;

/** What Elasticsearch's clients of version 8 call JSON: `application/vnd.elasticsearch+json; compatible-with=8`. */
public final class JsonNames implements MediaTypeProvider {
  @Override
  public List<MediaType> getMediaTypes() {
    return List.of();
  }

  @Override
  public Map<String, MediaType> getAdditionalMediaTypes() {
    var json = XContentType.JSON;
    return Map.of("application/vnd.elasticsearch+json", json, "application/vnd.elasticsearch+x-ndjson", json);
  }
}
