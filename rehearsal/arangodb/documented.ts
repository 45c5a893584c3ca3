/** Every option that the documentation of arangod 3.12 lists, by section; `""`: those without one. */
export const documented: Readonly<Record<string, string>> = {
  activities: "only-superuser-enabled registry-cleanup-timeout",
  agency: `
    activate compaction-keep-size compaction-step-size disaster-recovery-id election-timeout-max
    election-timeout-min endpoint max-append-size my-address pool-size size supervision
    supervision-delay-add-follower supervision-delay-failed-follower supervision-expired-servers-grace-period
    supervision-failed-leader-adds-follower supervision-frequency supervision-grace-period
    supervision-ok-threshold wait-for-sync
  `,
  arangosearch: `
    columns-cache-limit columns-cache-only-leader commit-threads commit-threads-idle consolidation-threads
    consolidation-threads-idle default-parallelism execution-threads-limit fail-queries-on-out-of-sync
    skip-recovery threads threads-limit
  `,
  "async-registry": "cleanup-timeout",
  audit: "hostname max-entry-length output queue write-log-level",
  auth: "maximal-jwt-expiry-time minimal-jwt-expiry-time",
  backup: "api-enabled files-per-batch local-path-prefix number-parallel-remote-copies",
  cache: `
    acceleration-factor-for-edge-compression high-water-multiplier ideal-lower-fill-ratio ideal-upper-fill-ratio
    max-cache-value-size max-spare-memory-usage min-value-size-for-edge-compression rebalancing-interval size
  `,
  "": `
    check-configuration config configuration console daemon default-language default-language-check define
    dump-dependencies dump-options fortune gid honor-nsswitch hund icu-language log pid-file supervisor uid
    use-splice-syscall vector-index vector-index-build-retry-backoff version version-json working-directory
  `,
  cluster: `
    agency-endpoint api-jwt-policy connectivity-check-interval create-waits-for-sync-replication
    default-replication-factor failed-write-concern-status-code force-one-shard index-create-timeout
    max-number-of-move-shards max-number-of-shards max-replication-factor min-replication-factor my-address
    my-advertised-endpoint my-role no-heartbeat-delay-before-shutdown require-persisted-id
    resign-leadership-on-shutdown shard-synchronization-attempt-timeout synchronous-replication-timeout-factor
    synchronous-replication-timeout-maximum synchronous-replication-timeout-minimum
    synchronous-replication-timeout-per-4k system-replication-factor upgrade write-concern
  `,
  "crash-handler": "enable-dumps",
  database: `
    auto-upgrade auto-upgrade-full-compaction check-version default-replication-version directory extended-names
    ignore-datafile-errors init-database io-heartbeat max-databases password required-directory-state
    restore-admin upgrade-check wait-for-sync
  `,
  dump: "max-batch-size max-docs-per-batch max-memory-usage max-parallelism",
  encryption: "key-generator keyfile",
  foxx: "allow-install-from-remote api enable force-update-on-startup queues queues-poll-interval store",
  http: `
    compress-response-threshold handle-content-encoding-for-unauthenticated-requests keep-alive-timeout
    permanently-redirect-root redirect-root-to return-queue-time-header trusted-origin
  `,
  javascript: `
    allow-admin-execute allow-external-process-control allow-port-testing app-path copy-installation enabled
    endpoints-allowlist endpoints-denylist environment-variables-allowlist environment-variables-denylist
    files-allowlist files-denylist gc-frequency gc-interval harden module-directory script script-parameter
    startup-directory startup-options-allowlist startup-options-denylist tasks transactions
    user-defined-functions v8-contexts v8-contexts-max-age v8-contexts-max-invocations v8-contexts-minimum
    v8-max-heap v8-options
  `,
  log: `
    api-enabled color escape-control-chars escape-unicode-chars file file-group file-mode force-direct
    foreground-tty hostname ids in-memory in-memory-level keep-logrotate level line-number max-entry-length
    max-queued-entries output performance prefix process recording-api-enabled request-parameters role
    shorten-filenames structured-param thread thread-name time-format use-json-format use-local-time
    use-microtime
  `,
  network: `
    compress-request-threshold compression-method idle-connection-ttl io-threads max-open-connections
    max-requests-in-flight protocol verify-hosts
  `,
  query: `
    allow-collections-in-expressions cache-entries cache-entries-max-size cache-entry-max-size
    cache-include-system-collections cache-mode collection-logger-all-slow-queries
    collection-logger-cleanup-interval collection-logger-enabled collection-logger-include-system-database
    collection-logger-max-buffered-queries collection-logger-probability collection-logger-push-interval
    collection-logger-retention-time fail-on-warning global-memory-limit log-failed log-memory-usage-threshold
    max-artifact-log-length max-collections-per-query max-dnf-condition-members max-nodes-per-callstack
    max-parallelism max-query-async-prefetch-slots max-runtime max-total-async-prefetch-slots memory-limit
    memory-limit-override optimizer-max-plans optimizer-rules parallelize-traversals
    plan-cache-invalidation-time plan-cache-max-entries plan-cache-max-entry-size plan-cache-max-memory-usage
    registry-ttl require-with slow-streaming-threshold slow-threshold smart-joins tracking tracking-slow-queries
    tracking-with-bindvars tracking-with-datasources tracking-with-querystring
  `,
  random: "generator",
  rclone: "argument executable",
  replication: `
    auto-repair-revision-trees auto-start connect-timeout max-parallel-tailing-invocations quick-keys-limit
    request-timeout sync-by-revision
  `,
  rocksdb: `
    allow-fallocate auto-fill-index-caches-on-startup auto-flush-check-interval auto-flush-min-live-wal-files
    auto-refill-index-caches-on-followers auto-refill-index-caches-on-modify
    auto-refill-index-caches-queue-capacity blob-compression-type blob-file-size blob-file-starting-level
    blob-garbage-collection-age-cutoff blob-garbage-collection-force-threshold block-align-data-blocks
    block-cache-estimated-entry-charge block-cache-jemalloc-allocator block-cache-shard-bits block-cache-size
    block-cache-type bloom-filter-bits-per-key cache-index-and-filter-blocks
    cache-index-and-filter-blocks-with-high-priority checksum-type compaction-read-ahead-size compaction-style
    compression-type create-sha-files debug-logging delayed-write-rate dynamic-level-bytes enable-blob-cache
    enable-blob-files enable-blob-garbage-collection enable-index-compression enable-pipelined-write
    enable-statistics encryption-gen-internal-key encryption-hardware-acceleration encryption-key-generator
    encryption-key-rotation encryption-keyfile encryption-keyfolder enforce-block-cache-size-limit
    exclusive-writes force-legacy-comparator format-version intermediate-commit-count intermediate-commit-size
    level0-compaction-trigger level0-slowdown-trigger level0-stop-trigger limit-open-files-at-startup
    max-background-jobs max-bytes-for-level-base max-bytes-for-level-multiplier max-concurrent-index-fill-tasks
    max-parallel-compactions max-subcompactions max-total-wal-size max-transaction-size max-write-buffer-number
    max-write-buffer-number-definitions max-write-buffer-number-documents max-write-buffer-number-edge
    max-write-buffer-number-fulltext max-write-buffer-number-geo max-write-buffer-number-mdi
    max-write-buffer-number-mdi-prefixed max-write-buffer-number-primary max-write-buffer-number-replicated-logs
    max-write-buffer-number-vector max-write-buffer-number-vpack max-write-buffer-size-to-maintain min-blob-size
    min-write-buffer-number-to-merge minimum-disk-free-bytes minimum-disk-free-percent num-levels
    num-threads-priority-high num-threads-priority-low num-uncompressed-levels optimize-filters-for-hits
    optimize-filters-for-memory partition-files-for-documents partition-files-for-edge-index
    partition-files-for-mdi-index partition-files-for-persistent-index partition-files-for-primary-index
    partition-files-for-vector-index pending-compactions-slowdown-trigger pending-compactions-stop-trigger
    periodic-compaction-ttl pin-l0-filter-and-index-blocks-in-cache pin-top-level-index-and-filter
    prepopulate-blob-cache prepopulate-block-cache recycle-log-file-num reserve-file-metadata-memory
    reserve-table-builder-memory reserve-table-reader-memory sync-delay-threshold sync-interval table-block-size
    target-file-size-base target-file-size-multiplier throttle throttle-frequency throttle-lower-bound-bps
    throttle-max-write-rate throttle-scaling-factor throttle-slots throttle-slow-down-writes-trigger
    total-write-buffer-size transaction-lock-stripes transaction-lock-timeout
    use-direct-io-for-flush-and-compaction use-direct-reads use-file-logging use-fsync use-io_uring verify-sst
    wal-archive-size-limit wal-directory wal-file-timeout wal-file-timeout-initial wal-recovery-skip-corrupted
    write-buffer-size
  `,
  server: `
    allow-use-database api-call-recording api-recording-memory-limit aql-query-recording
    aql-recording-memory-limit authentication authentication-system-only authentication-timeout
    authentication-unix-sockets cluster-metrics-timeout count-descriptors-interval descriptors-minimum
    early-connections endpoint ensure-whitespace-metrics-format export-metrics-api export-read-write-metrics
    export-shard-usage-metrics external-rbac-service gid harden io-threads jwt-secret jwt-secret-folder
    jwt-secret-keyfile license-check-interval license-disk-usage-grace-period-readonly
    license-disk-usage-grace-period-shutdown license-disk-usage-limit license-disk-usage-update-interval
    maintenance-actions-block maintenance-actions-linger maintenance-slow-threads maintenance-threads
    maximal-number-sync-shard-actions maximal-queue-size maximal-threads minimal-threads
    ongoing-low-priority-multiplier options-api prio1-size prio2-size rest-server scheduler scheduler-queue-size
    session-timeout statistics statistics-all-databases statistics-history support-info-api uid
    unavailability-queue-fill-grade validate-utf8-strings
  `,
  ssl: `
    cafile cipher-list ecdh-curve keyfile options prefer-http1-in-alpn protocol require-peer-certificate
    server-name-indication session-cache
  `,
  tcp: "backlog-size reuse-address",
  temp: `
    intermediate-results-capacity intermediate-results-encryption
    intermediate-results-encryption-hardware-acceleration intermediate-results-path
    intermediate-results-spillover-threshold-memory-usage intermediate-results-spillover-threshold-num-rows path
  `,
  transaction: "streaming-idle-timeout streaming-lock-timeout streaming-max-transaction-size",
  ttl: "frequency max-collection-removes max-total-removes",
  "web-interface": "proxy-request-check trusted-proxy version-check",
};

/** The full names of all options. */
export function documentedNames(): string[] {
  return Object.entries(documented).flatMap(([section, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name) => (section === "" ? name : `${section}.${name}`)),
  );
}
