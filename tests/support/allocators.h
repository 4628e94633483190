/* tests/support/allocators.h - every function that this tree asks for memory: libc's, and those of libraries that report
 * the want of it.
 *
 * A row has the name, the result's type, parameters, arguments, and the result without memory. CMake takes the names to
 * have the linker wrap them in test_*_memory.c, allocation.c makes the wrappers, and tests/gates/allocations.sh looks for
 * who calls them. Those of the second list, whose size counts or whose arguments vary, have wrappers written by hand.
 *
 * Not here: what frees, or changes what there is; newlocale() of "C", which glibc has ready; what libuv and liburcu abort without (tests/end/exhaust.c). */
#ifndef SUPPORT_ALLOCATORS_H
#define SUPPORT_ALLOCATORS_H

// clang-format off
#define ALLOCATORS(X) \
    X(reallocarray, void *, (void *a, size_t b, size_t c), (a, b, c), NULL) \
    X(aligned_alloc, void *, (size_t a, size_t b), (a, b), NULL) \
    X(posix_memalign, int, (void **a, size_t b, size_t c), (a, b, c), ENOMEM) \
    X(strdup, char *, (const char *a), (a), NULL) \
    X(strndup, char *, (const char *a, size_t b), (a, b), NULL) \
    X(vasprintf, int, (char **a, const char *b, va_list c), (a, b, c), -1) \
    X(fopen, FILE *, (const char *a, const char *b), (a, b), NULL) \
    X(fdopen, FILE *, (int a, const char *b), (a, b), NULL) \
    X(open_memstream, FILE *, (char **a, size_t *b), (a, b), NULL) \
    X(opendir, DIR *, (const char *a), (a), NULL) \
    X(tsearch, void *, (const void *a, void **b, int (*c)(const void *, const void *)), (a, b, c), NULL) \
    X(pthread_create, int, (pthread_t *a, const pthread_attr_t *b, void *(*c)(void *), void *d), (a, b, c, d), EAGAIN) \
    X(uv_loop_init, int, (uv_loop_t *a), (a), UV_ENOMEM) \
    X(uv_async_init, int, (uv_loop_t *a, uv_async_t *b, uv_async_cb c), (a, b, c), UV_ENOMEM) \
    X(uv_poll_init, int, (uv_loop_t *a, uv_poll_t *b, int c), (a, b, c), UV_ENOMEM) \
    X(uv_poll_init_socket, int, (uv_loop_t *a, uv_poll_t *b, uv_os_sock_t c), (a, b, c), UV_ENOMEM) \
    X(curl_global_init, CURLcode, (long a), (a), CURLE_OUT_OF_MEMORY) \
    X(curl_multi_init, CURLM *, (void), (), NULL) \
    X(curl_easy_init, CURL *, (void), (), NULL) \
    X(curl_slist_append, struct curl_slist *, (struct curl_slist *a, const char *b), (a, b), NULL) \
    X(curl_multi_add_handle, CURLMcode, (CURLM *a, CURL *b), (a, b), CURLM_OUT_OF_MEMORY) \
    X(cJSON_ParseWithLength, cJSON *, (const char *a, size_t b), (a, b), NULL) \
    X(cJSON_ParseWithLengthOpts, cJSON *, (const char *a, size_t b, const char **c, cJSON_bool d), (a, b, c, d), NULL) \
    X(cJSON_CreateObject, cJSON *, (void), (), NULL) \
    X(cJSON_AddStringToObject, cJSON *, (cJSON *a, const char *b, const char *c), (a, b, c), NULL) \
    X(cJSON_PrintUnformatted, char *, (const cJSON *a), (a), NULL) \
    X(cJSON_malloc, void *, (size_t a), (a), NULL) \
    X(ares_library_init, int, (int a), (a), ARES_ENOMEM) \
    X(ares_init_options, int, (ares_channel *a, struct ares_options *b, int c), (a, b, c), ARES_ENOMEM) \
    X(ares_set_servers_ports_csv, int, (ares_channel a, const char *b), (a, b), ARES_ENOMEM) \
    X(ares_parse_srv_reply, int, (const unsigned char *a, int b, struct ares_srv_reply **c), (a, b, c), ARES_ENOMEM) \
    X(ldns_buffer_new, ldns_buffer *, (size_t a), (a), NULL) \
    X(ldns_wire2rr, ldns_status, (ldns_rr **a, const uint8_t *b, size_t c, size_t *d, ldns_pkt_section e), (a, b, c, d, e), LDNS_STATUS_MEM_ERR) \
    X(ldns_buffer_reserve, bool, (ldns_buffer *a, size_t b), (a, b), (a->_status = LDNS_STATUS_MEM_ERR, false)) \
    X(ldns_rdf2buffer_str, ldns_status, (ldns_buffer *a, const ldns_rdf *b), (a, b), LDNS_STATUS_MEM_ERR) \
    X(ldns_rr_type2buffer_str, ldns_status, (ldns_buffer *a, const ldns_rr_type b), (a, b), LDNS_STATUS_MEM_ERR) \
    X(BIO_new_mem_buf, BIO *, (const void *a, int b), (a, b), (OPENSSL_FAILS, NULL)) \
    X(SSL_CTX_new, SSL_CTX *, (const SSL_METHOD *a), (a), (OPENSSL_FAILS, NULL)) \
    X(SSL_CTX_use_certificate, int, (SSL_CTX *a, X509 *b), (a, b), (OPENSSL_FAILS, 0)) \
    X(SSL_CTX_use_PrivateKey, int, (SSL_CTX *a, EVP_PKEY *b), (a, b), (OPENSSL_FAILS, 0)) \
    X(PEM_read_bio_X509, X509 *, (BIO *a, X509 **b, pem_password_cb *c, void *d), (a, b, c, d), (OPENSSL_FAILS, NULL)) \
    X(PEM_read_bio_X509_AUX, X509 *, (BIO *a, X509 **b, pem_password_cb *c, void *d), (a, b, c, d), (OPENSSL_FAILS, NULL)) \
    X(PEM_read_bio_PrivateKey, EVP_PKEY *, (BIO *a, EVP_PKEY **b, pem_password_cb *c, void *d), (a, b, c, d), (OPENSSL_FAILS, NULL)) \
    X(PEM_X509_INFO_read_bio, STACK_OF(X509_INFO) *, (BIO *a, STACK_OF(X509_INFO) *b, pem_password_cb *c, void *d), (a, b, c, d), (OPENSSL_FAILS, NULL)) \
    X(MHD_create_response_from_buffer, struct MHD_Response *, (size_t a, void *b, enum MHD_ResponseMemoryMode c), (a, b, c), NULL) \
    X(MHD_add_response_header, enum MHD_Result, (struct MHD_Response *a, const char *b, const char *c), (a, b, c), MHD_NO) \
    X(MHD_queue_response, enum MHD_Result, (struct MHD_Connection *a, unsigned b, struct MHD_Response *c), (a, b, c), MHD_NO)

/* The names alone. */
#define ALLOCATORS_BY_HAND(X) \
    X(malloc) \
    X(calloc) \
    X(realloc) \
    X(asprintf) \
    X(curl_easy_setopt) \
    X(ldns_buffer_printf) \
    X(MHD_start_daemon)
// clang-format on

#endif
