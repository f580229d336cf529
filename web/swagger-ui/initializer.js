'use strict';

// Shows the document beside this page. The token entered in Authorize stays in the browser's storage.
SwaggerUIBundle({
  url: 'swagger.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null, // No badge from another host.
});
