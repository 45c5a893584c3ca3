# A small real application: what a person moves on the left changes what the server draws and computes on the right.
library(shiny)

ui <- fluidPage(
  titlePanel("Old Faithful"),
  sidebarLayout(
    sidebarPanel(
      sliderInput("bins", "Bins", min = 5, max = 50, value = 20),
      selectInput("column", "Show", c("Waiting time (min)" = "waiting", "Eruption (min)" = "eruptions")),
      textOutput("server")
    ),
    mainPanel(plotOutput("histogram"), tableOutput("summary"))
  )
)

server <- function(input, output, session) {
  values <- reactive(faithful[[input$column]])
  output$histogram <- renderPlot(hist(values(), breaks = input$bins, main = NULL, xlab = input$column, col = "steelblue"))
  output$summary <- renderTable({
    s <- summary(values())
    data.frame(statistic = names(s), value = as.numeric(s))
  })
  # For ShinyProxy's apps: who asked, and where this runs.
  user <- Sys.getenv("SHINYPROXY_USERNAME", "nobody in particular")
  output$server <- renderText(paste0("For ", user, ", by ", Sys.info()[["nodename"]]))
}

shinyApp(ui, server)
